#!/bin/bash
# The reference pages say what the tables in the code say.
. "$(dirname "$0")/common.bash"

scripts/reference-pages --check 2>&1 | sed 's/^\([^:]*\.md\) /\1:1: /' | verdict
