"""A disk that was replaced is used only after an operator said so."""

from pathlib import Path

from tests.conftest import Site


async def test_another_disk_is_refused_until_it_is_taken_over(site: Site) -> None:
    assert (await site.json("GET", "/api/v1/storage"))["condition"] == "ok"
    (site.root / ".securitycamd-storage").write_text('{"identity": "another server\'s"}')
    await site.shared.storage.guard.check()
    found = await site.json("GET", "/api/v1/storage")
    assert found["condition"] == "wrong"
    assert "take-over" in found["remedy"]
    await site.register()
    await site.shared.storage.watch()
    assert not (site.root / "camera_1").exists()

    taken = await site.json("POST", "/api/v1/storage/take-over", json={})
    assert taken["condition"] == "ok"
    await site.shared.storage.watch()
    assert (site.root / "camera_1" / "videos").is_dir()


async def test_one_camera_s_folder_can_be_taken_over(site: Site, tmp_path: Path) -> None:
    await site.register()
    await site.shared.storage.watch()
    (site.root / "camera_1" / ".securitycamd-camera").unlink()
    await site.shared.storage.watch()
    assert list((await site.json("GET", "/api/v1/storage"))["cameras"]) == ["camera_1"]
    taken = await site.json("POST", "/api/v1/storage/take-over", json={"camera_id": "camera_1"})
    assert taken["cameras"] == {}
