"""Whatever bytes come, they become a client event or a ``ProtocolViolation`` with a stable code."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.protocol.decoding import MAX_DEPTH, MAX_KEYS, Limits, canonical, decode
from gateway.protocol.extension import AnyClientEvent, SessionResume
from tests.protocol.examples import CLIENT_EVENTS, Json, examples

LIMITS = Limits()
CODES = {"event_too_large", "invalid_json", "unknown_event_type", "missing_required_parameter", "invalid_value"}
CANARY = "what the user said in confidence"


def refusal(data: str | bytes, limits: Limits = LIMITS) -> ProtocolViolation:
    with pytest.raises(ProtocolViolation) as caught:
        decode(data, limits)
    assert caught.value.code in CODES
    return caught.value


def item(part: object, **more: object) -> str:
    body = {"type": "message", "role": "user", "content": [part]}
    return json.dumps({"type": "conversation.item.create", "event_id": "e1", "item": {**body, **more}})


def detection(**fields: object) -> str:
    return json.dumps({"type": "session.update", "session": {"audio": {"input": {"turn_detection": fields}}}})


# --- what is well formed ---


@pytest.mark.parametrize("sent", examples("client"), ids=lambda sent: str(sent["type"]))
def test_every_documented_client_event_is_read_and_written_again(sent: Json) -> None:
    event = decode(json.dumps(sent), LIMITS)
    assert type(event) is CLIENT_EVENTS[sent["type"]]
    assert event.event_id == sent.get("event_id", "")
    assert decode(msgspec.json.encode(event), LIMITS) == event


def test_a_typed_message_with_all_that_may_stand_in_it() -> None:
    event = decode(item({"type": "input_text", "text": "hé\U0001f600\n\x00"}, id="item_1", status="completed"), LIMITS)
    assert isinstance(event, rt.ItemCreate)
    assert event.item.content is not None
    assert event.item.content[0].text == "hé\U0001f600\n\x00"
    assert (event.item.id, event.event_id) == ("item_1", "e1")


def test_unknown_fields_are_ignored_everywhere() -> None:
    event = decode(
        '{"type":"response.create","future":{"deep":[1]},"response":{"tools":[],"voice":"x","metadata":{"a":"b"}}}',
        LIMITS,
    )
    assert isinstance(event, rt.ResponseCreate)
    assert isinstance(event.response, rt.ResponseOptions)
    assert event.response.metadata == {"a": "b"}


def test_null_stands_for_what_is_not_given_where_stock_clients_send_it() -> None:
    event = decode(
        '{"type":"response.create","response":{"instructions":null,"output_modalities":null,"metadata":null}}', LIMITS
    )
    assert event == rt.ResponseCreate(response=rt.ResponseOptions())


def test_of_two_equal_keys_the_last_one_counts() -> None:
    event = decode('{"type":"response.cancel","response_id":"a","response_id":"b"}', LIMITS)
    assert event == rt.ResponseCancel(response_id="b")


def test_two_types_are_no_type() -> None:
    assert refusal('{"type":"response.cancel","type":"response.create"}').code == "unknown_event_type"


def test_a_cursor_is_read_as_it_is_and_judged_elsewhere() -> None:
    event = decode('{"type":"session.resume","epoch":"e","seq":-1,"open":{"item_1":3}}', LIMITS)
    assert event == SessionResume(epoch="e", seq=-1, open={"item_1": 3})


# --- what is not ---


NO_JSON = [
    *("", " ", "{", "{]", "nonsense", "\x00", "Infinity", '{"a":1', "{'type':'response.cancel'}"),
    *('{"type":"response.cancel"} x', '{"type":"response.cancel"}{"type":"response.cancel"}'),
    *('{"type":"response.cancel",}', detection(threshold=float("nan"))),
]


@pytest.mark.parametrize("data", NO_JSON)
def test_what_is_not_json_is_told_so(data: str) -> None:
    assert refusal(data).code == "invalid_json"


@pytest.mark.parametrize("data", [b"\xff", b"\xef\xbb\xbf{}", b'{"type":"\xed\xa0\x80"}', b"\xc0\x80"])
def test_bytes_that_are_not_utf8_are_not_json(data: bytes) -> None:
    assert refusal(data).code == "invalid_json"


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\ud83dx", "\ud800"])
def test_half_a_character_is_not_json(half: str) -> None:
    text = item({"type": "input_text", "text": "TEXT"}).replace("TEXT", half)
    assert refusal(text).code == "invalid_json"


@pytest.mark.parametrize("data", ["[]", "null", "5", "true", '"text"', "[[[]]]"])
def test_what_is_not_an_object_is_no_event(data: str) -> None:
    assert refusal(data).code == "invalid_value"


@pytest.mark.parametrize("kind", ['"nope"', '""', "5", "null", "{}", '["response.cancel"]', '"RESPONSE.CANCEL"'])
def test_an_unknown_type_is_named_by_its_code(kind: str) -> None:
    violation = refusal(f'{{"event_id":"e1","type":{kind}}}')
    assert (violation.code, violation.param, violation.event_id) == ("unknown_event_type", "type", "e1")


def test_no_type_is_an_unknown_type() -> None:
    violation = refusal('{"event_id":"e1"}')
    assert (violation.code, violation.param, violation.event_id) == ("unknown_event_type", "type", "e1")


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ('{"type":"session.update"}', "missing_required_parameter", "session"),
        ('{"type":"session.update","session":null}', "invalid_value", "session"),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type":"input_audio_buffer.append","audio":[]}', "invalid_value", "audio"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        (item({"text": "x"}), "missing_required_parameter", "item.content[0].type"),
        (item({"type": "input_text", "text": 5}), "invalid_value", "item.content[0].text"),
        (item({"type": "input_video", "text": "x"}), "invalid_value", "item.content[0].type"),
        (item("x"), "invalid_value", "item.content[0]"),
        (item({"type": "input_text", "text": "x"}, id="*metadata"), "invalid_value", "item.id"),
        (item({"type": "input_text", "text": "x"}, id="i" * 129), "invalid_value", "item.id"),
        (item({"type": "input_text", "text": "x"}, role="tool"), "invalid_value", "item.role"),
        (item({"type": "input_text", "text": "x"}, type="mcp_call"), "invalid_value", "item.type"),
        ('{"type":"conversation.item.truncate","item_id":"a"}', "missing_required_parameter", "audio_end_ms"),
        ('{"type":"response.create","on_active":"later"}', "invalid_value", "on_active"),
        ('{"type":"response.create","response":{"metadata":{"k":1}}}', "invalid_value", "response.metadata[...]"),
        ('{"type":"response.cancel","response_id":5}', "invalid_value", "response_id"),
        ('{"type":"session.resume","epoch":"e"}', "missing_required_parameter", "seq"),
        ('{"type":"session.resume","epoch":"e","seq":"1"}', "invalid_value", "seq"),
        (detection(type="gw_vad"), "invalid_value", "session.audio.input.turn_detection.type"),
        (detection(threshold="loud"), "invalid_value", "session.audio.input.turn_detection.threshold"),
        (detection(create_response=1), "invalid_value", "session.audio.input.turn_detection.create_response"),
        (
            '{"type":"session.update","session":{"audio":{"output":{"voice":5}}}}',
            "invalid_value",
            "session.audio.output.voice",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_path(data: str, code: str, param: str) -> None:
    violation = refusal(data)
    assert (violation.code, violation.param) == (code, param)


@pytest.mark.parametrize(
    "number", ["1.5", "1e999", "-1", "true", '"5"', "9007199254740992", "1" * 100, "1" * 5000, "[]"]
)
def test_a_count_is_a_whole_number_that_json_holds_exactly(number: str) -> None:
    violation = refusal(f'{{"type":"conversation.item.truncate","item_id":"a","audio_end_ms":{number}}}')
    assert (violation.code, violation.param) == ("invalid_value", "audio_end_ms")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400 + ".0"])
def test_a_number_beyond_a_double_is_refused(number: str) -> None:
    violation = refusal(detection(threshold=0).replace('"threshold": 0', f'"threshold": {number}'))
    assert violation.code in {"invalid_value", "invalid_json"}


def test_the_event_at_fault_is_named() -> None:
    assert refusal(item({"type": "input_text", "text": 5})).event_id == "e1"
    assert refusal('{"event_id":"e1","type":"response.cancel"').event_id == "e1"
    assert refusal('{"event_id":"e1","type":"response.create","x":' + "[" * 50 + "]" * 50 + "}").event_id == "e1"
    assert refusal('{"event_id":"e1","type":"response.cancel","x":"' + "x" * 70_000 + '"}').event_id == "e1"


@pytest.mark.parametrize("event_id", ["5", "null", "[]"])
def test_an_event_id_is_a_text(event_id: str) -> None:
    violation = refusal(f'{{"type":"response.cancel","event_id":{event_id}}}')
    assert (violation.code, violation.param, violation.event_id) == ("invalid_value", "event_id", None)


# --- how much ---


def padded(size: int, head: str = '{"type":"response.cancel","x":"') -> str:
    return head + "x" * (size - len(head) - 2) + '"}'


def test_an_event_of_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    assert decode(padded(64 * 1024), LIMITS) == rt.ResponseCancel()
    assert refusal(padded(64 * 1024 + 1)).code == "event_too_large"


def test_size_is_counted_in_bytes_not_in_characters() -> None:
    head = '{"type":"response.cancel","x":"'
    assert refusal(head + "é" * 40_000 + '"}').code == "event_too_large"


def test_sound_may_be_larger() -> None:
    limits = Limits(event_bytes=1024, append_bytes=4096)
    head = '{"type":"input_audio_buffer.append","audio":"'
    assert isinstance(decode(padded(4096, head), limits), rt.AudioAppend)
    assert refusal(padded(4097, head), limits).code == "event_too_large"


def test_sound_whose_type_comes_last_may_be_as_large() -> None:
    limits = Limits(event_bytes=1024, append_bytes=4096)
    sent = '{"audio":"' + "x" * 3000 + '","type":"input_audio_buffer.append"}'
    assert isinstance(decode(sent, limits), rt.AudioAppend)


@pytest.mark.parametrize("place", ["head", "tail"])
def test_what_only_looks_like_sound_may_not_be_larger(place: str) -> None:
    name = "input_audio_buffer.append"
    text = name + "x" * 2000 if place == "head" else "x" * 2000 + name
    limits = Limits(event_bytes=1024, append_bytes=4096)
    assert refusal(item({"type": "input_text", "text": text}, id=name), limits).code == "event_too_large"


def nested(depth: int) -> str:
    return '{"type":"response.cancel","x":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def test_json_may_nest_as_deep_as_32_levels() -> None:
    assert decode(nested(MAX_DEPTH), LIMITS) == rt.ResponseCancel()
    assert refusal(nested(MAX_DEPTH + 1)).code == "invalid_json"


def keyed(count: int, value: object) -> str:
    return json.dumps({"type": "response.cancel", **{f"k{number}": value for number in range(count - 1)}})


def test_an_object_may_have_256_keys_and_so_may_those_in_it() -> None:
    assert decode(keyed(MAX_KEYS, {"a": 1, "b": 2}), LIMITS) == rt.ResponseCancel()
    assert refusal(keyed(MAX_KEYS + 1, 1)).code == "invalid_json"
    assert refusal(keyed(2, dict.fromkeys(map(str, range(MAX_KEYS + 1))))).code == "invalid_json"


def test_colons_in_a_text_are_no_keys() -> None:
    assert decode(json.dumps({"type": "response.cancel", "x": '":' * 1000}), LIMITS) == rt.ResponseCancel()


def test_brackets_in_a_text_are_no_nesting() -> None:
    for text in ("[" * 500, '\\"' * 20 + "[" * 500, "\\" * 21 + "{" * 500):
        assert isinstance(decode(item({"type": "input_text", "text": text}), LIMITS), rt.ItemCreate)


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    assert decode('{"type":"response.cancel","x":[' + "[]," * 500 + "[]]}", LIMITS) == rt.ResponseCancel()


@pytest.mark.parametrize("opening", ["[", '{"a":', "[{"])
def test_bottomless_json_is_refused(opening: str) -> None:
    limits = Limits(event_bytes=10**6, append_bytes=10**6)
    assert refusal(opening * 100_000, limits).code == "invalid_json"
    assert refusal('{"type":"input_audio_buffer.append","x":' + opening * 100_000, limits).code == "invalid_json"


@pytest.mark.parametrize("end", ["", '"', "\\"])
def test_a_text_without_end_among_brackets_is_looked_at_once(end: str) -> None:
    """Looking again from each of its quotes takes a quarter of a minute; the test's own timeout guards this."""
    hostile = '{"type":"response.cancel","x":' + "[" * 20 + '"' + '\\"' * 32_000 + end + "[" * 20
    assert refusal(hostile).code == "invalid_json"


# --- fuzz ---


def attempt(data: str | bytes) -> AnyClientEvent | ProtocolViolation:
    try:
        return decode(data, LIMITS)
    except ProtocolViolation as violation:
        return violation


def tried(data: str | bytes) -> None:
    found = attempt(data)
    if isinstance(found, ProtocolViolation):
        assert found.code in CODES
    else:
        assert isinstance(found, tuple(CLIENT_EVENTS.values()))
        canonical(found)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
@example(b'{"type":"response.cancel"}')
def test_any_bytes_are_an_event_or_a_violation(data: str | bytes) -> None:
    tried(data)


KNOWN = [json.dumps(sent).encode() for sent in examples("client")]


@given(st.data())
def test_a_damaged_event_is_an_event_or_a_violation(data: st.DataObject) -> None:
    sent = bytearray(data.draw(st.sampled_from(KNOWN)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(sent)))
        until = data.draw(st.integers(at, min(len(sent), at + 8)))
        sent[at:until] = data.draw(st.binary(max_size=8))
    tried(bytes(sent))


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10))
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(st.data())
def test_an_event_with_other_values_in_it_is_an_event_or_a_violation(data: st.DataObject) -> None:
    sent = json.loads(data.draw(st.sampled_from(KNOWN)))
    for _ in range(data.draw(st.integers(1, 3))):
        _replace(sent, data)
    tried(json.dumps(sent))


def _replace(tree: Any, data: st.DataObject) -> None:
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if isinstance(tree[key], dict | list) and tree[key] and data.draw(st.booleans()):
        _replace(tree[key], data)
    else:
        tree[key] = data.draw(trees)


# --- what is never repeated ---


@pytest.mark.parametrize("sent", examples("client"), ids=lambda sent: str(sent["type"]))
def test_an_error_never_repeats_what_was_sent(sent: Json) -> None:
    for damaged in _with_canary(sent):
        found = attempt(json.dumps(damaged))
        if isinstance(found, ProtocolViolation):
            assert CANARY not in f"{found} {found.param} {found.code}"
            assert found.__cause__ is None


def _with_canary(tree: Any) -> list[Any]:
    """*tree* with the canary in each place in turn, as a value, in a list, and as a key."""
    found: list[Any] = [CANARY, [CANARY], {CANARY: CANARY}]
    if isinstance(tree, dict):
        found += [{**tree, key: inner} for key, value in tree.items() for inner in _with_canary(value)]
        found += [{CANARY: value, **{k: v for k, v in tree.items() if k != key}} for key, value in tree.items()]
    if isinstance(tree, list):
        found += [[inner] for value in tree for inner in _with_canary(value)]
    return found


# --- the same command ---


def read(sent: str) -> AnyClientEvent:
    return decode(sent, LIMITS)


def test_a_command_is_the_same_whatever_correlates_it() -> None:
    one = read('{"type":"response.create","event_id":"a","idempotency_key":"k","on_active":"interrupt"}')
    two = read('{ "on_active": "interrupt", "event_id": "b", "type": "response.create" }')
    assert canonical(one) == canonical(two)


def test_another_command_is_another() -> None:
    bodies = [
        '{"type":"response.create"}',
        '{"type":"response.create","on_active":"interrupt"}',
        '{"type":"response.create","response":{"instructions":"a"}}',
        '{"type":"response.create","response":{"instructions":"b"}}',
        '{"type":"response.cancel"}',
        '{"type":"response.cancel","response_id":"a"}',
    ]
    assert len({canonical(read(body)) for body in bodies}) == len(bodies)


def test_a_message_with_a_picture_may_be_larger() -> None:
    address = "data:image/png;base64," + "A" * 100_000
    event = decode(item({"type": "input_image", "image_url": address}), Limits())
    assert isinstance(event, rt.ItemCreate)
    assert refusal(item({"type": "input_image", "image_url": address * 8}), Limits()).code == "event_too_large"
    no_picture = item({"type": "input_text", "text": 'about "input_image"' + "A" * 100_000})
    assert refusal(no_picture, Limits()).code == "event_too_large"
    assert refusal(item({"type": "input_image", "image_url": "file:///etc/passwd"})).code == "invalid_value"
