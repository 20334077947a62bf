# shellcheck shell=bash
# What the lints share; sourced by them. The working folder becomes the top of the tree.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2

# Files of the tree whose names match one of the shell patterns: tracked ones and new ones that are not ignored; where
# there is no git, all but build folders.
tree_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" | sort -u
    else
        local names=() pattern
        for pattern in "$@"; do
            names+=(-o -path "*/$pattern")
        done
        find . -name 'build*' -prune -o -name .git -prune -o -type f \( "${names[@]:1}" \) -printf '%P\n' | sort -u
    fi | while read -r file; do
        if [ -f "$file" ]; then
            printf '%s\n' "$file"
        fi
    done
}

# C files of the folders that make the programs.
product_files() {
    tree_files '*.c' '*.h' | grep -E '^(base|storage|trust|auth|server|cli)/'
}

# Prints each line of code as FILE:LINE:TEXT, comments taken out and literals emptied.
code_lines() {
    xargs -r awk '
    FNR == 1 { in_comment = 0 }
    {
        line = $0
        out = ""
        while (line != "") {
            if (in_comment) {
                end = index(line, "*/")
                if (!end) { break }
                line = substr(line, end + 2)
                in_comment = 0
            } else if (match(line, /"([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047|\/\*|\/\//)) {
                token = substr(line, RSTART, RLENGTH)
                out = out substr(line, 1, RSTART - 1)
                line = substr(line, RSTART + RLENGTH)
                if (token == "/*") { in_comment = 1 }
                else if (token == "//") { line = "" }
                else { out = out "\"\"" }
            } else {
                out = out line
                line = ""
            }
        }
        if (out ~ /[^ \t]/) { print FILENAME ":" FNR ":" out }
    }'
}

# Passes offences (FILE:LINE: REASON, on standard input) on and fails when there was one.
verdict() {
    if grep .; then
        exit 1
    fi
    exit 0
}
