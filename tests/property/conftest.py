"""The tests of the gate's property share the servers' and images' helpers of the e2e tests."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
for folder in ("crash", "e2e"):  # faults.py; support/
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
