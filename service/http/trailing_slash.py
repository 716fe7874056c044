"""One slash too many at a path's end: the same answers as without it.

The Open Inference Protocol's own documents write `/v2/` and `/v2`, and other contracts' clients the one or the other. A
redirect would not do: clients of TensorFlow Serving and KServe follow none, and others lose the body on the way. Only
who opens a page gets one, for a page names its files relative to where it is.
"""

from ekiben.service.http.messages import Scope, Send


def ends_with_slash(path: str) -> bool:
    """Return whether a path has a slash at its end that it could do without."""
    return len(path) > 1 and path[-1] == "/"


async def redirect(scope: Scope, send: Send) -> None:
    """Send a browser to the path without the slash, relative to this one: a proxy may have taken away its beginning."""
    name = scope["raw_path"].rstrip(b"/").rpartition(b"/")[2]
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    headers = [(b"location", b"../" + name + query), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
