"""One daemon a state folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from securitycamd.instance import Instance, InstanceError

HOLD = """
import os, signal, sys
from pathlib import Path
from securitycamd.instance import Instance
with Instance(Path(sys.argv[1])) as instance:
    child = os.fork()
    if child:
        print(child, instance.name, flush=True)
    signal.pause()
"""


def test_a_killed_process_holds_the_folder_no_longer_though_its_child_has_not_begun(tmp_path: Path) -> None:
    """Between fork and exec a child has all that its parent had open."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child, name = holder.stdout.readline().split()
    try:
        with pytest.raises(InstanceError, match="another securitycamd runs"), Instance(tmp_path):
            pass
        holder.kill()
        holder.wait(10)
        with Instance(tmp_path) as instance:
            assert instance.name == name
    finally:
        os.kill(int(child), signal.SIGKILL)
        holder.kill()
        holder.communicate()
