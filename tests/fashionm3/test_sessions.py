"""The server's store of talks: ids, ends, bounds, and that nobody waits for or sees another."""

import threading

import pytest

from fashionm3.session import Session
from fashionm3.sessions import FRESH, PICTURES, Sessions
from fashionm3.uploads import Upload
from fcn.errors import DataError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def store(**options):
    clock = Clock()
    return Sessions(Session, clock=clock, **options), clock


def test_ids_are_long_random_and_never_those_of_the_talk_or_its_export():
    visits, _ = store()
    opened = [visits.open() for _ in range(200)]
    ids = {visit.id for visit in opened}
    assert len(ids) == 200 and min(map(len, ids)) >= 32
    assert not ids & {visit.session.id for visit in opened}
    copy = Session.loads(opened[0].session.dumps())
    assert opened[0].id not in opened[0].session.dumps()
    assert visits.open(copy).id not in ids


def test_only_the_exact_id_opens_a_talk():
    visits, _ = store()
    visit = visits.open()
    assert visits.get(visit.id) is visit
    for bad in ("", visit.id[:-1], visit.id + "A", visit.id.swapcase(), visit.session.id, None, 7, [visit.id]):
        with pytest.raises(DataError, match="this talk has ended"):
            visits.get(bad)


def test_a_talk_ends_when_nobody_goes_on_with_it_and_takes_its_pictures_along():
    visits, clock = store(idle=100)
    kept, left = visits.open(), visits.open()
    left.upload = Upload(b"jpeg", 2, 2)
    name = left.keep(b"her picture")
    assert visits.picture(name) == b"her picture" and visits.picture("x") is None
    clock.now = 60
    visits.get(kept.id)
    clock.now = 120
    visits.sweep()
    assert len(visits) == 1 and visits.get(kept.id) is kept
    assert visits.picture(name) is None and left.upload is None and left.picture(name) is None


def test_what_is_being_answered_is_not_ended():
    visits, clock = store(idle=100)
    visit = visits.open()
    with visit.turn():
        clock.now = 500
        visits.sweep()
        assert len(visits) == 1
    visits.sweep()
    assert len(visits) == 0


def test_closing_forgets_at_once_and_twice_is_no_error():
    visits, _ = store()
    visit = visits.open()
    name = visit.keep(b"x")
    visits.close(visit.id)
    visits.close(visit.id)
    assert visits.picture(name) is None and len(visits) == 0


def test_room_is_made_by_who_rested_longest_and_never_by_who_talks():
    visits, clock = store(most=3)
    first, second, third = (visits.open() for _ in range(3))
    with pytest.raises(DataError, match="all 3 places"):
        visits.open()
    clock.now = FRESH + 1
    visits.get(first.id)
    with third.turn():
        visits.open()
        assert len(visits) == 3
        with pytest.raises(DataError):
            visits.get(second.id)
        with pytest.raises(DataError, match="places"):
            visits.open()  # the first has just spoken, the third is being answered
    assert visits.get(third.id) is third


def test_pictures_of_a_talk_are_bounded():
    visit = Sessions(Session).open()
    names = [visit.keep(bytes([at])) for at in range(PICTURES + 3)]
    assert [visit.picture(name) is not None for name in names] == [False] * 3 + [True] * PICTURES
    assert len(set(names)) == len(names) and min(map(len, names)) >= 32


def test_one_message_at_a_time_and_nobody_waits_for_another_talk():
    visits, _ = store()
    one, other = visits.open(), visits.open()
    with one.turn():
        with other.turn(patience=0.01) as session:
            assert session is other.session
        with pytest.raises(DataError, match="still being answered"), one.turn(patience=0.01):
            pass
    with one.turn(patience=0.01):
        pass


def test_many_threads_open_use_and_close():
    visits, faults = Sessions(Session, most=64), []

    def work():
        try:
            for _ in range(60):
                visit = visits.open()
                visit.keep(b"1")
                assert visits.get(visit.id) is visit
                visits.close(visit.id)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and len(visits) == 0
