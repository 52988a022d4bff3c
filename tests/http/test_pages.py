"""The files that pages are made of: which are served, how, and what they may not hold."""

import re
from importlib.resources import files

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.http.operation import Operation, Role
from gateway.http.pages import PageDoor

SHIPPED = {e.name: e.read_text("utf-8") for e in files("gateway.http").joinpath("pages").iterdir()}


@pytest.fixture
def operations() -> dict[str, Operation]:
    return {operation.path: operation for operation in PageDoor().operations()}


async def ask(
    operation: Operation, name: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    match = {"name": name} if name else {}
    path = operation.path.replace("{name}", name)
    request = make_mocked_request("GET", path, headers=headers or {}, match_info=match)
    answer = await operation.handle(request)
    assert isinstance(answer, web.Response)
    return answer


async def test_anybody_gets_the_page_and_its_parts(operations: dict[str, Operation]) -> None:
    assert {operation.role for operation in operations.values()} == {Role.NOBODY}
    page = await ask(operations["/"])
    assert (page.status, page.content_type, page.charset) == (200, "text/html", "utf-8")
    assert page.body == SHIPPED["index.html"].encode()
    for name, kind in (("base.css", "text/css"), ("session.js", "text/javascript")):
        part = await ask(operations["/pages/{name}"], name)
        assert (part.content_type, part.body) == (kind, SHIPPED[name].encode())


@pytest.mark.parametrize("name", ["../server.py", "..%2fserver.py", "server.py", "", "nothing.js"])
async def test_what_no_page_is_made_of_is_not_there(
    operations: dict[str, Operation], name: str
) -> None:
    request = make_mocked_request("GET", "/pages/x", match_info={"name": name})
    with pytest.raises(web.HTTPNotFound):
        await operations["/pages/{name}"].handle(request)


async def test_a_browser_that_has_it_is_told_so(operations: dict[str, Operation]) -> None:
    page = await ask(operations["/"])
    tag = page.headers["ETag"]
    assert page.headers["Cache-Control"] == "no-cache"
    for shown in (tag, f'"other", W/{tag}', "*"):
        again = await ask(operations["/"], headers={"If-None-Match": shown})
        assert (again.status, again.body, again.headers["ETag"]) == (304, None, tag)
    other = await ask(operations["/"], headers={"If-None-Match": '"other"'})
    assert other.status == 200


async def test_a_page_may_run_and_reach_nothing_but_us(operations: dict[str, Operation]) -> None:
    page = await ask(operations["/"])
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "microphone=(self)" in page.headers["Permissions-Policy"]


@pytest.mark.parametrize("name", sorted(n for n in SHIPPED if n.endswith(".html")))
def test_nothing_stands_in_a_page_that_its_policy_forbids(name: str) -> None:
    text = SHIPPED[name]
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    for where in re.findall(r'(?:src|href)="([^"]*)"', text):
        known = where.removeprefix("pages/").partition("#")[0]
        assert known in {"", "./", "console", *SHIPPED}, f"{name} refers to {where}"


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_no_file_refers_to_another_host_or_writes_markup(name: str) -> None:
    text = SHIPPED[name].replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://(?!\*|localhost)|[\"'(]//", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
