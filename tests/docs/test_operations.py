"""docs/operations.md names every figure and every check, and none that is gone."""

import re
from pathlib import Path

import hawker

ROOT = Path(hawker.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_figure_and_every_check_has_its_line() -> None:
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("health/metrics.py", "health/counter_families.py")
    )
    metrics = set(re.findall(r'"(hawker_[a-z_]+)"', text))
    sources = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("health/doctor.py", "host/machine_checks.py")
    )
    checks = set(re.findall(r'(?:_judge|Finding)\(\s*"([a-z_]+)"', sources))
    assert len(checks) > 15
    first_cells = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    assert first_cells == metrics | checks
