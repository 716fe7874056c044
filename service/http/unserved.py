"""What a request gets on whose path nobody answers: a sentence in place of BentoML's two words."""

from ekiben.contract.validation import show, suggest
from ekiben.service.http.messages import JSON_TYPE, Message, Scope, Send, encode_json

STATUSES = (404, 405)


def explain(send: Send, scope: Scope, beginnings: tuple[str, ...]) -> Send:
    """Let an answer that there is nothing say so in JSON, with what is near; `beginnings` of the paths there are."""
    body = b""

    async def send_explained(message: Message) -> None:
        nonlocal body
        if message["type"] == "http.response.start" and message["status"] in STATUSES:
            body = encode_json({"error": describe(message["status"], scope["method"], scope["path"], beginnings)})
            kept = [pair for pair in message["headers"] if pair[0].lower() not in (b"content-type", b"content-length")]
            added = [(b"content-type", JSON_TYPE), (b"content-length", b"%d" % len(body))]
            message = {**message, "headers": [*kept, *added]}
        elif body and message["type"] == "http.response.body":
            if message.get("more_body"):
                return
            message = {**message, "body": body}
        await send(message)

    return send_explained


def describe(status: int, method: str, path: str, beginnings: tuple[str, ...]) -> str:
    """Return the sentence."""
    if status == 405:
        return f"{method} is not allowed at {show(path)}: /docs.json lists every route with its methods"
    beginning = "/" + path.removeprefix("/").partition("/")[0]
    near = "" if beginning in beginnings else suggest(beginning, beginnings)
    return f"nothing answers at {show(path)}{near or ':'} /docs.json lists every route"
