#!/bin/sh
# What the Makefile needs before Python can take over: a virtual environment, and the few system packages that pip
# cannot bring. Those are installed where we may (root, or sudo without a password, with apt-get), and named where
# we may not.
#   setup.sh venv FOLDER [PYTHON]     setup.sh pdf FOLDER     setup.sh browser FOLDER     setup.sh hledger | redis
set -eu

PDF_PACKAGES="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# Executed, not just looked up: a version manager leaves commands that only say which version is missing.
suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${1:-}" ]; then
        suitable "$1" || fail "PYTHON=$1 is not a Python from 3.11 to 3.14."
        echo "$1"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3.14 python3 python; do
        if suitable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "No Python from 3.11 to 3.14 found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv;" \
        "macOS: brew install python@3.13), or say where it is: make PYTHON=/path/to/python3.13"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_install() {
    command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true >/dev/null 2>&1; }
}

# Returns whether the packages were installed.
install_packages() {
    may_install || return 1
    echo "Installing system packages: $*"
    as_root apt-get update -qq >/dev/null 2>&1 || true # the lists at hand may do
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

make_venv() {
    venv=$1
    if [ -x "$venv/bin/python" ] && suitable "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return # also after a change of requirements: pip replaces what differs
    fi
    python=$(find_python "${2:-}")
    echo "Making $venv with $python"
    if ! "$python" -m venv --clear "$venv" >/dev/null 2>&1; then
        # Debian and Ubuntu ship ensurepip in a package of its own.
        install_packages python3-venv || true
        "$python" -m venv --clear "$venv" ||
            fail "Python cannot make a virtual environment. Install its venv package (Debian, Ubuntu: python3-venv)."
    fi
}

pdf_works() {
    "$1/bin/python" -c 'from weasyprint import HTML; HTML(string="<p>1").write_pdf()' >/dev/null 2>&1 && has_fonts
}

has_fonts() {
    ! command -v fc-list >/dev/null 2>&1 || [ -n "$(fc-list 2>/dev/null | head -n 1)" ]
}

ensure_pdf() {
    pdf_works "$1" && return
    # shellcheck disable=SC2086 # a list of packages
    install_packages $PDF_PACKAGES fontconfig || true
    pdf_works "$1" || fail "PDFs need Pango and a font. Install these, then run make again:" \
        "$PDF_PACKAGES (Debian, Ubuntu), pango (Homebrew, Fedora, Arch)."
}

has_browser() {
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$browser" >/dev/null 2>&1 && "$browser" --version >/dev/null 2>&1 && return
    done
    "$1/bin/python" - >/dev/null 2>&1 <<'PYTHON'
import pathlib
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    assert pathlib.Path(playwright.chromium.executable_path).exists()
PYTHON
}

ensure_browser() {
    has_browser "$1" && return
    install_packages chromium || true
    has_browser "$1" && return
    # Ubuntu's package is a shell for a snap, which containers cannot run: take the browser that Playwright keeps.
    "$1/bin/python" -m playwright install chromium || true
    if may_install; then
        as_root "$PWD/$1/bin/python" -m playwright install-deps chromium >/dev/null 2>&1 || true
    fi
    has_browser "$1" || fail "Browser tests need Chromium. Install it, then run make again: chromium (Debian)," \
        "google-chrome (others), or $1/bin/python -m playwright install --with-deps chromium."
}

# Tests let it check what we export.
ensure_hledger() {
    command -v hledger >/dev/null 2>&1 && return
    install_packages hledger || true
    command -v hledger >/dev/null 2>&1 || fail "Tests of the journal's export need hledger. Install it, then run make" \
        "again: hledger (Debian, Ubuntu, Fedora, Arch, Homebrew), or see https://hledger.org/install."
}

# Tests share a run among workers over a broker of their own. Where it is installed, its service is not needed.
ensure_redis() {
    command -v redis-server >/dev/null 2>&1 && return
    install_packages redis-server || true
    command -v redis-server >/dev/null 2>&1 || fail "Tests of work shared among workers need Redis. Install it, then" \
        "run make again: redis-server (Debian, Ubuntu), redis (Fedora, Arch, Homebrew)."
}

action=$1
shift
case $action in
    venv) make_venv "$@" ;;
    pdf) ensure_pdf "$@" ;;
    browser) ensure_browser "$@" ;;
    hledger) ensure_hledger ;;
    redis) ensure_redis ;;
    *) fail "setup.sh: what is $action?" ;;
esac
