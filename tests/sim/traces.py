"""Traces that were written by hand, and long ones that a few lines make; for tests only."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

HEADER = {
    "walctl_trace": 1,
    "tool": "0.4.0",
    "engine": "sim",
    "seed": "0x2f",
    "scenario": "double-vote",
    "options": {},
}
Line = dict[str, Any]

STORY = """
{"t":0,"n":"n1","k":"start","term":0,"vote":0,"commit":0,"last":0}
{"t":0,"n":"n2","k":"start","term":0,"vote":0,"commit":0,"last":0}
{"t":0,"n":"n3","k":"start","term":0,"vote":0,"commit":0,"last":0}
{"t":1203145,"n":"n1","k":"role","to":"candidate","term":1,"lead":0}
{"t":1203145,"n":"n1","k":"term","term":1}
{"t":1203145,"n":"n1","k":"vote","term":1,"for":1}
{"t":1203145,"n":"n1","k":"write","f":"wal","bytes":72,"first":1,"count":0}
{"t":1204100,"n":"n1","k":"fsync","f":"wal","us":955}
{"t":1204100,"n":"n1","k":"send","to":2,"m":41,"y":"MsgVote","term":1,"idx":0,"lt":0}
{"t":1204100,"n":"n1","k":"send","to":3,"m":42,"y":"MsgVote","term":1,"idx":0,"lt":0}
{"t":1206377,"n":"n2","k":"recv","from":1,"m":41}
{"t":1206377,"n":"n2","k":"term","term":1}
{"t":1206377,"n":"n2","k":"vote","term":1,"for":1}
{"t":1206377,"n":"n2","k":"write","f":"wal","bytes":32}
{"t":1207500,"n":"n2","k":"fsync","f":"wal","us":1123}
{"t":1207500,"n":"n2","k":"send","to":1,"m":43,"y":"MsgVoteResp","term":1}
{"t":1208000,"k":"drop","m":42,"why":"partition"}
{"t":1210000,"n":"n1","k":"recv","from":2,"m":43}
{"t":1210000,"n":"n1","k":"role","to":"leader","term":1,"lead":1}
{"t":1210000,"n":"n1","k":"append","first":1,"last":1,"term":1}
{"t":1211000,"n":"n1","k":"write","f":"wal","bytes":40}
{"t":1212000,"n":"n1","k":"fsync","f":"wal","us":1000}
{"t":1212000,"n":"n1","k":"send","to":2,"m":44,"y":"MsgApp","term":1,"idx":0,"lt":0}
{"t":1212000,"n":"n1","k":"send","to":3,"m":45,"y":"MsgApp","term":1,"idx":0,"lt":0}
{"t":1213100,"n":"n2","k":"recv","from":1,"m":44}
{"t":1213100,"n":"n2","k":"role","to":"follower","term":1,"lead":1}
{"t":1213100,"n":"n2","k":"append","first":1,"last":1,"term":1}
{"t":1214000,"n":"n2","k":"fsync","f":"wal","us":900}
{"t":1214000,"n":"n2","k":"send","to":1,"m":46,"y":"MsgAppResp","term":1,"idx":1}
{"t":1219000,"n":"n3","k":"recv","from":1,"m":45}
{"t":1219000,"n":"n3","k":"append","first":1,"last":1,"term":1}
{"t":1216000,"n":"n1","k":"recv","from":2,"m":46}
{"t":1216000,"n":"n1","k":"commit","idx":1}
{"t":1216000,"n":"n1","k":"apply","first":1,"last":1}
{"t":1219900,"n":"n3","k":"send","to":1,"m":47,"y":"MsgAppResp","term":1,"idx":1}
{"t":1221000,"n":"n1","k":"recv","from":3,"m":47}
{"t":1600000,"c":4,"k":"invoke","op":17,"f":"put","g":"g1","key":"x","v":"c4-17"}
{"t":1600500,"n":"n1","k":"propose","idx":2,"count":1}
{"t":1600500,"n":"n1","k":"append","first":2,"last":2,"term":1}
{"t":1601000,"n":"n1","k":"send","to":2,"m":48,"y":"MsgApp","term":1,"idx":1,"lt":1}
{"t":1601000,"n":"n1","k":"send","to":3,"m":49,"y":"MsgApp","term":1,"idx":1,"lt":1}
{"t":1602000,"n":"n2","k":"recv","from":1,"m":48}
{"t":1602000,"n":"n2","k":"append","first":2,"last":2,"term":1}
{"t":1602100,"k":"dup","m":49}
{"t":1603000,"n":"n3","k":"recv","from":1,"m":49}
{"t":1603000,"n":"n3","k":"append","first":2,"last":2,"term":1}
{"t":1604000,"n":"n2","k":"send","to":1,"m":50,"y":"MsgAppResp","term":1,"idx":2}
{"t":1605500,"n":"n3","k":"recv","from":1,"m":49}
{"t":1606000,"n":"n1","k":"recv","from":2,"m":50}
{"t":1606000,"n":"n1","k":"commit","idx":2}
{"t":1606000,"n":"n1","k":"apply","first":2,"last":2}
{"t":1606400,"c":4,"k":"ok","op":17,"rev":2}
{"t":2500000,"k":"fault","on":"isolate","args":{"words":"isolate n1","links":["n1->n2","n2->n1"]}}
{"t":2510000,"c":5,"k":"invoke","op":1,"f":"put","g":"g1","key":"x","v":"c5-1"}
{"t":2510400,"n":"n1","k":"append","first":3,"last":3,"term":1}
{"t":2511000,"n":"n1","k":"send","to":2,"m":51,"y":"MsgApp","term":1,"idx":2,"lt":1}
{"t":2511000,"k":"drop","m":51,"why":"cut"}
{"t":2511000,"n":"n1","k":"send","to":3,"m":52,"y":"MsgApp","term":1,"idx":2,"lt":1}
{"t":2511000,"k":"drop","m":52,"why":"cut"}
{"t":2550000,"n":"n3","k":"fault","on":"disk","args":{"kind":"lie"}}
{"t":2600000,"n":"n2","k":"crash","mode":"torn","lost":{"wal":3},"kept":{"wal":1}}
{"t":2790000,"n":"n2","k":"start","term":1,"vote":0,"commit":1,"last":2}
{"t":3000000,"n":"n3","k":"role","to":"pre-candidate","term":1,"lead":0}
{"t":3001000,"n":"n3","k":"role","to":"candidate","term":2,"lead":0}
{"t":3001000,"n":"n3","k":"vote","term":2,"for":3}
{"t":3001000,"n":"n3","k":"write","f":"wal","bytes":32}
{"t":3203000,"n":"n3","k":"fsync","f":"wal","us":202000}
{"t":3203000,"n":"n3","k":"send","to":2,"m":53,"y":"MsgVote","term":2,"idx":2,"lt":1}
{"t":3204000,"n":"n2","k":"recv","from":3,"m":53}
{"t":3204000,"n":"n2","k":"term","term":2}
{"t":3204000,"n":"n2","k":"vote","term":2,"for":3}
{"t":3205000,"n":"n2","k":"send","to":3,"m":54,"y":"MsgVoteResp","term":2}
{"t":3205500,"n":"n1","k":"fault","on":"pause"}
{"t":3207000,"n":"n3","k":"recv","from":2,"m":54}
{"t":3207000,"n":"n3","k":"role","to":"leader","term":2,"lead":3}
{"t":3207000,"n":"n3","k":"append","first":3,"last":3,"term":2}
{"t":3208000,"n":"n3","k":"send","to":2,"m":55,"y":"MsgSnap","term":2,"idx":2}
{"t":3208000,"n":"n3","k":"snap_send","to":2,"idx":2}
{"t":3300000,"n":"n1","k":"heal","on":"pause"}
{"t":3310000,"k":"heal","on":"heal","args":{"words":"heal","links":["n1->n2","n2->n1"]}}
{"t":3311000,"n":"n3","k":"heal","on":"disk","args":{"kind":"lie"}}
{"t":3312000,"c":5,"k":"info","op":1,"why":"timed out"}
{"t":3312500,"c":4,"k":"invoke","op":18,"f":"get","g":"g1","key":"x"}
{"t":3313000,"k":"note","words":"faults are over"}
{"t":3320000,"k":"violation","id":"I7","words":"n2 voted for n1 and for n3 in term 2","nodes":[2,3]}
"""


def story() -> list[Line]:
    """All that a picture has: an election, a lost message, a doubled one, faults, a violation."""
    return [json.loads(line) for line in STORY.split("\n") if line]


def trace(lines: Iterable[Line], **header: Any) -> bytes:
    """The file of some events, which get their numbers here."""
    told = [{**HEADER, **header}, *({"i": number, **line} for number, line in enumerate(lines))]
    return b"".join(json.dumps(each).encode() + b"\n" for each in told)


def long(events: int, *, nodes: int = 3, heartbeat_share: float = 0.7) -> Iterator[Line]:
    """A calm cluster whose leader is n1, with a violation at its end; the same each time."""
    draw = random.Random(7)
    for node in range(1, nodes + 1):
        yield {"t": 0, "n": f"n{node}", "k": "start"}
    yield {"t": 1000, "n": "n1", "k": "role", "to": "leader", "term": 1}
    time, message, index, told = 1000, 0, 0, nodes + 1
    while told < events - 8:
        time += draw.randrange(500, 20_000)
        node = draw.randrange(2, nodes + 1)
        is_beat = draw.random() < heartbeat_share
        kind = "MsgHeartbeat" if is_beat else "MsgApp"
        message += 2
        index += not is_beat
        fields = {} if is_beat else {"idx": index}
        yield {"t": time, "n": "n1", "k": "send", "to": node, "m": message, "y": kind, **fields}
        if draw.random() < 0.02:
            yield {"t": time + 10, "k": "drop", "m": message, "why": "loss"}
            told += 2
            continue
        yield {"t": time + 400, "n": f"n{node}", "k": "recv", "from": 1, "m": message}
        answer = {"to": 1, "m": message + 1, "y": f"{kind}Resp"}
        yield {"t": time + 420, "n": f"n{node}", "k": "send", **answer}
        yield {"t": time + 480, "n": "n1", "k": "recv", "from": node, "m": message + 1}
        told += 4
        if not is_beat:
            yield {"t": time + 490, "n": "n1", "k": "write", "f": "wal", "bytes": 90}
            yield {"t": time + 495, "n": "n1", "k": "commit", "idx": index}
            yield {"t": time + 496, "c": index % 5, "k": "invoke", "op": index, "f": "get"}
            yield {"t": time + 497, "c": index % 5, "k": "ok", "op": index}
            told += 4
    yield {"t": time + 500, "k": "violation", "id": "I1", "words": "two leaders", "nodes": [1]}
