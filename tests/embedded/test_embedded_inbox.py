"""What waits to be told to an agent."""

from gateway.embedded.agents.agent import TurnEnded
from gateway.embedded.protocol.inbox import Inbox


def test_news_that_nobody_ever_asks_for_are_bounded_and_the_latest_kept() -> None:
    inbox = Inbox()
    for number in range(3000):
        inbox.expect(f"job-{number}")
        inbox.resolve(f"job-{number}", TurnEnded(str(number)))
    assert inbox.is_ready
    assert inbox.drain() == [TurnEnded(str(number)) for number in range(2000, 3000)]
    assert inbox.drain() == []
