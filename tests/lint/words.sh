#!/bin/bash
# Words that have no place in the tree: marks of unfinished work, and paths of somebody's own machine.
. "$(dirname "$0")/common.bash"

own=tests/lint/words.sh
mapfile -t files < <(tree_files '*.c' '*.h' '*.sh' '*.bash' '*.py' '*.md' '*.txt' '*.cmake' '*.yaml' '*.yml' '*.json' \
    '*.sql' '*.js' '*.css' '*.html' Dockerfile 'scripts/*' '.ci/*' | grep -vE "^(${own}|tests/vectors/.*)$")

# look PATTERN REASON
look() {
    grep -nHE -e "$1" -- "${files[@]}" | cut -d: -f1,2 | sed "s|\$|: $2|"
}

{
    look '(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)' 'a mark of unfinished work: finish it, or file it'
    look '(^|[^A-Za-z0-9_./$}-])(/home/|/Users/)' 'a path of one machine'
} | verdict
