"""Shares of users and addresses: counted exactly, given back once, and forgotten when nobody has any."""

import pytest

from gateway.transports.admission import Admission, Crowded, Limits
from gateway.transports.crowd import NOBODY, Guest

ADA = Guest(("user", "acme", "ada"), ("address", "198.51.100.7"))
BOB = Guest(("user", "acme", "bob"), ADA.address)


def test_calls_and_connections_count_together_and_come_back_once() -> None:
    admission = Admission(Limits(for_user=2))
    first, _ = admission.call(ADA), admission.connection(ADA)
    for take in (admission.call, admission.connection):
        with pytest.raises(Crowded) as caught:
            take(ADA)
        assert caught.value.code == "too_many_connections"
    first.leave()
    first.leave()
    admission.call(ADA)
    with pytest.raises(Crowded):
        admission.call(ADA)
    admission.call(BOB)
    assert admission.refused == 3


def test_users_of_one_address_share_it() -> None:
    admission = Admission(Limits(for_address=1))
    place = admission.connection(ADA)
    with pytest.raises(Crowded, match="address"):
        admission.connection(BOB)
    place.leave()
    admission.connection(BOB)


def test_who_is_refused_takes_nothing() -> None:
    admission = Admission(Limits(for_user=1, for_address=2))
    admission.connection(ADA)
    for _ in range(3):
        with pytest.raises(Crowded, match="user"):
            admission.connection(ADA)
    admission.connection(BOB)


def test_without_a_limit_and_for_nobody_there_is_none() -> None:
    admission = Admission(Limits(calls=0, connections=0))
    assert len([admission.connection(ADA) for _ in range(2000)]) == 2000
    strict = Admission(Limits(for_user=1, for_address=1))
    assert len([strict.connection(NOBODY) for _ in range(20)]) == 20
