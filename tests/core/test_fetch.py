"""Pinned package files: hashes, caches, archives, and a pip that fails; pip is played by a local folder of
packages.
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

import consilience as cs
from consilience._core import _fetch
from consilience._core._fetch import PackageFile, cached, data_folder, fetch

CONTENT = b"measured numbers" * 100
GOOD = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSILIENCE_DATA", str(tmp_path / "cache"))


def source(member="pack/data.bin", digest=GOOD, **more):
    return PackageFile("pack", "1.0", {member: digest}, **more)


def tar(path, entries):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def serve(monkeypatch, archive):
    monkeypatch.setattr(_fetch, "_download", lambda source, scratch, home: archive)


def written(tmp_path):
    return sorted(
        str(path.relative_to(tmp_path / "cache"))
        for path in (tmp_path / "cache").rglob("*")
        if path.is_file()
    )


def test_members_are_checked_and_cached(tmp_path, monkeypatch):
    serve(
        monkeypatch,
        tar(
            tmp_path / "a.tar.gz",
            [(tarfile.TarInfo("pack/other"), b"x"), (tarfile.TarInfo("pack/data.bin"), CONTENT)],
        ),
    )
    assert not cached(source())
    paths = fetch(source())
    assert paths["pack/data.bin"].read_bytes() == CONTENT
    assert written(tmp_path) == ["pack-1.0/data.bin"]
    assert cached(source())
    monkeypatch.setattr(_fetch, "_download", None)  # not needed again
    assert fetch(source()) == paths


def test_wheels(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("pack/data.bin", CONTENT)
    serve(monkeypatch, tmp_path / "a.whl")
    assert fetch(source())["pack/data.bin"].read_bytes() == CONTENT


def test_another_file_under_the_same_name_is_refused(tmp_path, monkeypatch):
    serve(monkeypatch, tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), b"something else")]))
    with pytest.raises(
        cs.InputError, match=r"pack/data\.bin of pack 1\.0 came with SHA-256 .*, expected .*; it was not kept"
    ) as caught:
        fetch(source())
    assert caught.value.code == "bad-hash"
    assert written(tmp_path) == []


def test_a_damaged_cache_is_said_and_fetched_again(tmp_path, monkeypatch):
    serve(monkeypatch, tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), CONTENT)]))
    path = fetch(source())["pack/data.bin"]
    path.write_bytes(b"damage")
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[damaged-cache\] The cached file .*data\.bin of pack 1\.0 is damaged"
    ):
        fetch(source())
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "member", ["../../out.bin", "/tmp/out.bin", "pack/../../out.bin", "C:\\out.bin", "..\\out.bin", ""]
)
def test_members_outside_the_archive_are_refused(tmp_path, monkeypatch, member):
    serve(monkeypatch, tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo(member or "x"), CONTENT)]))
    with pytest.raises(cs.InputError, match="lies outside the archive; nothing was written") as caught:
        fetch(source(member))
    assert caught.value.code == "unsafe-member"
    assert not (tmp_path / "cache").exists() or written(tmp_path) == []


@pytest.mark.parametrize(
    "entry", [link("pack/data.bin", "/etc/hostname"), link("pack/data.bin", "pack/x", tarfile.LNKTYPE), None]
)
def test_links_and_missing_members_are_refused(tmp_path, monkeypatch, entry):
    serve(
        monkeypatch,
        tar(tmp_path / "a.tar.gz", [(entry, b"")] if entry else [(tarfile.TarInfo("pack/x"), b"x")]),
    )
    with pytest.raises(cs.InputError, match=r"has no plain file 'pack/data.bin'"):
        fetch(source())
    assert written(tmp_path) == []


def test_links_in_a_wheel_are_refused(tmp_path, monkeypatch):
    info = zipfile.ZipInfo("pack/data.bin")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(info, "/etc/hostname")
    serve(monkeypatch, tmp_path / "a.whl")
    with pytest.raises(cs.InputError, match="has no plain file"):
        fetch(source())


@pytest.mark.parametrize("cut", [100, 5])
def test_a_broken_archive_is_said(tmp_path, monkeypatch, cut):
    path = tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), os.urandom(4000))])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if cut == 100 else cut])
    serve(monkeypatch, path)
    with pytest.raises(cs.InputError, match=r"the archive of pack 1.0 cannot be read"):
        fetch(source())
    assert written(tmp_path) == []


def test_members_that_are_too_large_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_fetch, "_LARGEST_MEMBER", 100)
    serve(monkeypatch, tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), CONTENT)]))
    with pytest.raises(cs.InputError, match="larger than"):
        fetch(source())
    assert written(tmp_path) == []


def test_offline_says_what_failed_and_what_to_do(tmp_path, monkeypatch, capfd):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    absent = PackageFile("consilience-test-absent", "1.0", {"pack/data.bin": GOOD})
    with pytest.raises(cs.InputError) as caught:
        fetch(absent)
    assert caught.value.code == "not-cached"
    text = str(caught.value)
    assert (
        "consilience-test-absent 1.0 is not in the cache and could not be fetched with pip: No matching "
        "distribution" in text
    )
    assert f"put data.bin from that package into {tmp_path / 'cache' / 'consilience-test-absent-1.0'}" in text
    assert "CONSILIENCE_DATA" in text
    assert capfd.readouterr() == ("", "")


def sdist(folder, setup):
    """A source archive whose metadata step runs ``setup``."""
    entries = [
        (tarfile.TarInfo("pack-1.0/setup.py"), setup.encode()),
        (tarfile.TarInfo("pack-1.0/data.bin"), CONTENT),
    ]
    entries.append(
        (tarfile.TarInfo("pack-1.0/PKG-INFO"), b"Metadata-Version: 1.0\nName: pack\nVersion: 1.0\n")
    )
    return tar(folder / "pack-1.0.tar.gz", entries)


def test_an_sdist_whose_setup_fails_is_used_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    sdist(tmp_path / "index", "raise SystemExit('this setup.py cannot run')")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads this one the other way round: no isolation
    wanted = PackageFile("pack", "1.0", {"pack-1.0/data.bin": GOOD}, sdist=True)
    assert fetch(wanted)["pack-1.0/data.bin"].read_bytes() == CONTENT


def test_the_folder(tmp_path, monkeypatch):
    assert data_folder() == tmp_path / "cache"
    monkeypatch.delenv("CONSILIENCE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform.startswith("linux"):
        assert data_folder() == tmp_path / "xdg" / "consilience"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the rule of the XDG folders")
def test_without_a_writable_home_a_temporary_folder_is_used(tmp_path, monkeypatch):
    monkeypatch.delenv("CONSILIENCE_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[temporary-cache\] The cache folder .* cannot be written"
    ):
        folder = data_folder()
    assert folder.name.startswith("consilience-")


def test_home_unset_does_not_stop_anything():
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("HOME", "CONSILIENCE_DATA", "XDG_CACHE_HOME")
    }
    code = "import consilience as cs; print(len(cs.datasets.list()), len(cs.networks.list()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_unwritable_folder_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONSILIENCE_DATA", str(tmp_path / "file"))
    serve(monkeypatch, tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), CONTENT)]))
    with pytest.raises(cs.InputError, match=r"cannot be written .*set CONSILIENCE_DATA to another folder"):
        fetch(source())


def test_two_processes_share_one_folder(tmp_path):
    archive = tar(tmp_path / "a.tar.gz", [(tarfile.TarInfo("pack/data.bin"), CONTENT)])
    code = (
        "import sys, pathlib; from consilience._core import _fetch; _fetch._download = lambda *a: "
        "pathlib.Path(sys.argv[1]);"
        "s = _fetch.PackageFile('pack', '1.0', {'pack/data.bin': sys.argv[2]});"
        "assert _fetch.sha256_of(_fetch.fetch(s)['pack/data.bin']) == sys.argv[2]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(archive), GOOD]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert written(tmp_path) == ["pack-1.0/data.bin"]
