from tests.conftest import Site


async def test_event_round_trip(site: Site) -> None:
    await site.register()
    event = await site.event()
    assert event["timestamp"] == "2025-10-28T14:30:22.186476+01:00"
    again = await site.json("GET", f"/api/v1/events/{event['id']}")
    assert again == event
