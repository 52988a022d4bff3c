"""A chat model's answer on its way to becoming the steps of a response."""

from ..protocol.options import Options
from ..protocol.outbox import Chat
from ..protocol.room import Room
from .agent import AgentStep, CallTool, Say
from .chat import ChatRequest, Thought, ThoughtOver, ToolAsked, Words, compose, functions
from .sentences import Sentences

__all__ = ["Thinking"]


class Thinking:
    """At most one question to a chat model at a time, asked for one response."""

    def __init__(self, room: Room) -> None:
        self.is_cut = False  # the model had more to say than it was allowed
        self._room = room
        self._job = ""
        self._text = Sentences()

    @property
    def is_open(self) -> bool:
        """Whether more of the answer is to come."""
        return bool(self._job)

    def begin(self, options: Options, note: str) -> None:
        """Ask, with all that was said in the conversation; ``note`` is a word beforehand."""
        self._job = self._room.outbox.new_id("job")
        self._room.outbox.request(Chat(self._job, self._request(options, note)))

    def knows(self, job: str) -> bool:
        """Whether ``job`` is the question that is open."""
        return self.is_open and job == self._job

    def take(self, thought: Thought) -> list[AgentStep]:
        """Take in more of the answer; return what is to be done of it by now."""
        match thought:
            case Words(text):
                return [Say(each) for each in self._text.feed(text)]
            case ToolAsked(name, arguments):
                return [*self._rest(), CallTool(name, arguments)]
            case ThoughtOver(is_cut):
                self._job, self.is_cut = "", is_cut
                return self._rest()

    def close(self) -> None:
        """Want no more of the answer."""
        self._job = ""

    def _rest(self) -> list[AgentStep]:
        return [Say(each) for each in self._text.rest()]

    def _request(self, options: Options, note: str) -> ChatRequest:
        room, session = self._room, self._room.settings.effective
        told = (options.instructions or session.get("instructions", ""), note)
        if options.said is None:
            messages = compose(room.conversation, told)
        else:
            messages = compose((), told)
            messages += [{"role": "user", "content": said} for said in options.said]
        if options.tools is None:
            imported = [each.tool for each in room.toolbox.imported]
            tools = functions(session.get("tools", []), imported)
        else:
            tools = functions(options.tools, [])
        return ChatRequest(
            messages=messages,
            tools=tools,
            tool_choice=options.tool_choice or session.get("tool_choice", "auto"),
            max_tokens=options.max_tokens if isinstance(options.max_tokens, int) else None,
        )
