"""Frames come in whatever pieces the network likes."""

import pytest
from h2.exceptions import FrameTooLargeError

from apps.channels.http2_frames import MOST_FRAME, Posted, read_goaway, whole_frames
from apps.channels.transport import ANSWER_LIMIT, Fault, HttpResponse

PING = bytes.fromhex("000008 06 00 00000000") + b"12345678"
SETTINGS = bytes.fromhex("000000 04 01 00000000")


def test_it_takes_whole_frames_and_leaves_the_rest() -> None:
    incoming = bytearray(PING + SETTINGS + PING[:12])
    assert list(whole_frames(incoming)) == [PING, SETTINGS]
    assert bytes(incoming) == PING[:12]
    incoming += PING[12:]
    assert list(whole_frames(incoming)) == [PING]
    assert not incoming


@pytest.mark.parametrize("size", range(9))
def test_it_waits_for_a_whole_head(size: int) -> None:
    assert list(whole_frames(bytearray(SETTINGS[:size]))) == []


def test_it_refuses_a_frame_of_any_size() -> None:
    with pytest.raises(FrameTooLargeError):
        list(whole_frames(bytearray((MOST_FRAME + 1).to_bytes(3, "big") + PING[3:])))


def test_it_reads_what_goaway_says() -> None:
    payload = bytes.fromhex("80000007 00000000") + b'{"reason":"Shutdown"}'
    assert read_goaway(payload) == (7, 'GOAWAY 0 {"reason":"Shutdown"}')
    assert read_goaway(bytes.fromhex("00000003 0000000b")) == (3, "GOAWAY 11")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, Fault("deadline")), (200, Fault("deadline")), (410, HttpResponse(410, {}, b"half"))],
)
def test_only_a_refusal_counts_without_its_end(status: int, expected: object) -> None:
    posted = Posted(0, 1, 0, 0.0, status=status, body=bytearray(b"half"))
    posted.finish(Fault("deadline"))
    assert posted.result == expected


def test_a_long_answer_is_cut() -> None:
    posted = Posted(0, 1, 0, 0.0, status=500, body=bytearray(ANSWER_LIMIT + 9))
    posted.finish()
    assert isinstance(posted.result, HttpResponse) and len(posted.result.body) == ANSWER_LIMIT
