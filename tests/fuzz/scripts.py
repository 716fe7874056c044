"""Makes scripts of bytes: of moves that a connection survives, of all there are, or of the bytes as they are."""

from collections.abc import Callable

from tests.fuzz import call_moves, flood_moves, frame_moves
from tests.fuzz.script import Choices, Script, begin
from tests.http2_server import PREFACE, SETTINGS, frame

MAX_MOVES = 60
MAX_WAIT_S = 200  # in all: other connections are asked to leave after 270
LONG_WAIT_S = 20  # beyond which answers that are waited for may be given up

Move = Callable[[Script, Choices], None]
MOVES: tuple[Move, ...] = (
    *[call_moves.call_well, call_moves.call_oddly, call_moves.stream_well, call_moves.add_message] * 3,
    *[call_moves.ask_over_http, call_moves.ask_oddly, call_moves.ask_malformed] * 2,
    *(call_moves.ask_much, frame_moves.shrink_windows),
    *[frame_moves.send_good_control, frame_moves.send_reset, frame_moves.begin_twice] * 2,
)
WILD: tuple[Move, ...] = (
    *MOVES,
    *(frame_moves.send_settings, frame_moves.send_window, frame_moves.send_data, flood_moves.reset_rapidly),
    *(flood_moves.open_many, frame_moves.send_block, flood_moves.bomb_table, frame_moves.cut_head),
    *(frame_moves.send_padded_head, flood_moves.flood, frame_moves.send_strange, frame_moves.send_raw),
)


def write_script(data: bytes) -> Script:
    """Return the script that these bytes are."""
    choices = Choices(data)
    script = begin(choices)
    moves = choices.pick((MOVES, WILD))
    for _ in range(MAX_MOVES):
        if choices.over:
            break
        if choices.chance(4):
            act(script, choices, moves is WILD)
        else:
            choices.pick(moves)(script, choices)
    script.lives = script.lives and script.resets <= frame_moves.MAX_RESETS
    script.flush()
    return script


def write_raw(data: bytes) -> Script:
    """Return a script that sends these bytes after a hello."""
    script = Script(lives=False, pieces=data[0] if data and data[0] < 64 else 0)
    script.granted.known = False
    script.add(PREFACE + frame(SETTINGS, 0, 0) + data[1:])
    script.flush()
    return script


def act(script: Script, choices: Choices, wild: bool) -> None:
    """Let time pass, or let the client do what is no frame."""
    kind = choices.number(9 if wild else 5)
    if kind < 3:
        script.act("turns", choices.number(5))
    elif kind == 3:
        script.act("settle")
    elif kind in (4, 5):
        seconds = choices.pick((0.01, 0.06, 0.2, 1.0, 3.0, LONG_WAIT_S, 70.0))
        script.waited_s += seconds
        script.lives = script.lives and seconds < LONG_WAIT_S
        if script.waited_s < MAX_WAIT_S:
            script.act("wait", seconds)
    else:
        script.lives = False
        script.act(("stop_reading", "read_on", "half_close", "drop" if choices.chance(3) else "shutdown")[kind - 6])
