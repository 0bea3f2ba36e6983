"""Counts made of events: the same as the analysis has, also where people are lost or turn out to be things."""

from tracker.delivery.tally import Tally


def event(kind, identity=None, **more):
    return {"event": kind, "id": identity, **more}


def test_crossings_and_people_inside():
    tally = Tally({"door": ("in", "out")}, ["hall", "till"])
    for direction in ("in", "in", "out"):
        tally.take(event("crossed", 1, line="door", direction=direction))
    assert tally.crossings == {("door", "in"): 2, ("door", "out"): 1}
    for identity in (1, 2, 3, 4):
        tally.take(event("entered", identity, zone="hall"))
    tally.take(event("entered", 3, zone="till"))
    for one in (event("left", 1, zone="hall"), event("still", 2), event("ended", 3), event("left", 9, zone="hall")):
        tally.take(one)
    assert tally.inside == {"hall": {4}, "till": set()}


def test_other_places_and_kinds_count_nothing():
    tally = Tally({"door": ("in", "out")}, ["hall"])
    others = [event("crossed", 1, line="gate", direction="in"), event("crossed", 1, line="door", direction="up")]
    others += [event("entered", 1, zone="yard"), event("left", 1, zone="yard"), event("appeared", 1)]
    others += [{"event": "stream_lost"}, {"event": "segment"}]
    for one in others:
        tally.take(one)
    assert tally.crossings == {("door", "in"): 0, ("door", "out"): 0} and tally.inside == {"hall": set()}
