"""unpack_assets.py DIR: installs the XLA plugin and plotly.js from the wheels in DIR (scripts/assets.txt)."""
import os
import pathlib
import shutil
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACES = {  # member of a wheel: where the lab looks for it
    "fastatomstruct_xla_cpu/libpjrt_cpu.so": ROOT / ".lab/pjrt/pjrt_c_api_cpu_plugin.so",
    "plotly/package_data/plotly.min.js": ROOT / "jupyter/labextensions/unhinged-assets/plotly-4.1.1.min.js",
}

for wheel in pathlib.Path(sys.argv[1]).glob("*.whl"):
    with zipfile.ZipFile(wheel) as z:
        for member in PLACES.keys() & set(z.namelist()):
            place = PLACES[member]
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_suffix(".part")
            with z.open(member) as src, open(part, "wb") as dst:
                shutil.copyfileobj(src, dst)
            os.replace(part, place)
