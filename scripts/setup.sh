# Sourced by the scripts beside it, never run: keeps .venv/ in step with requirements.lock and pyproject.toml.
#   root                     the checkout
#   ensure_venv runtime|test returns at once when .venv serves the profile; a venv with the tests' packages serves both
# Everything is told on stderr, because stdout belongs to the command that follows.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/setup.done
log=$venv/setup.log

say() { printf 'privity: %s\n' "$*" >&2; }

# The interpreter behind a name, not a link to it: the name may come from the very .venv that is about to be replaced.
# Each one is tried, because a version manager's shim can be on PATH without a Python behind it.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    "$name" -c '
import sys
if sys.version_info < (3, 11): sys.exit(1)
import ensurepip, venv
print(getattr(sys, "_base_executable", None) or sys.executable)' 2>/dev/null && return
  done
  return 1
}

no_python() {
  local name version found=
  for name in python3.13 python3.12 python3.11 python3; do
    version=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    found="$found, $name is $version"
  done
  say "cannot start: Python 3.11 or newer with its venv module is needed"
  case $found in
    '') echo "  why   no python3 on PATH" ;;
    *3.1[1-9]*) echo "  why   its venv module is missing (${found#, })" ;;
    *) echo "  why   too old: ${found#, }" ;;
  esac >&2
  echo "  next  install it (Debian, Ubuntu: apt-get install python3 python3-venv), then run the same command again" >&2
  exit 5
}

digest() {
  local sum
  if command -v sha256sum; then sum=$(sha256sum < "$1")
  elif command -v shasum; then sum=$(shasum -a 256 < "$1")
  else sum=$(cksum < "$1"); fi > /dev/null
  printf '%s' "${sum%% *}"
}

# Compares what .venv was set up for with what is wanted now; the answer is in `missing`: nothing, project (the
# entry point only), packages (add some), or all. A moved checkout counts as new, since a venv holds its own path.
inspect() {
  local lock project profile place
  wanted_lock=$(digest "$root/requirements.lock")
  wanted_project=$(digest "$root/pyproject.toml")
  missing=all
  [ -r "$stamp" ] && [ -x "$venv/bin/python" ] && [ -x "$venv/bin/privity" ] || return 0
  read -r lock project profile place < "$stamp" || return 0
  # Whoever has the tests' packages keeps them over a change of the lock file.
  [ "$profile" != test ] || wanted_profile=test
  if [ "$lock" != "$wanted_lock" ] || [ "$place" != "$root" ]; then missing=all
  elif [ "$profile" != "$wanted_profile" ]; then missing=packages
  elif [ "$project" != "$wanted_project" ]; then missing=project
  else missing=nothing; fi
}

why() {
  if grep -q 'No space left' "$log"; then echo "the disk is full"
  elif grep -q 'DO NOT MATCH THE HASHES' "$log"; then echo "a package is not the one that requirements.lock names"
  elif grep -qiE 'new connection|timed out|connection (broken|refused|reset)|name resolution|ProxyError|SSLError' "$log"; then
    echo "pip could not reach a package index"
  elif grep -q 'No matching distribution' "$log"; then
    echo "the package index has no wheel for this Python and system: $(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' "$log" | head -n 1)"
  else echo "see the end of the log"; fi
}

failed() {
  say "setting up .venv failed while $1"
  {
    echo "  why   $(why)"
    echo "  next  mend that, then run the same command again: it starts over by itself"
    echo "        (network, proxy and index are pip's own settings; 'python3 -m pip config list' shows them)"
    echo "  log   $log, which ends:"
    tail -n 12 "$log" | sed 's/^/        /'
  } >&2
  exit 5
}

logged() { "$@" >> "$log" 2>&1 < /dev/null; }

# Settings that would send packages elsewhere than into .venv must not apply here; those of network and index do.
pip() {
  PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 logged "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"
}

set_up() {
  local python lock=$root/requirements.lock started=$SECONDS
  unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
  if [ "$missing" = all ]; then
    python=$(find_python) || no_python
    if [ -e "$venv" ]; then say "setting up .venv anew"; else say "setting up .venv (first use)"; fi
    if ! { rm -rf "$venv" && mkdir "$venv"; }; then
      say "cannot start: no .venv can be made in $root"
      echo "  next  make that folder writable, or use a checkout of your own" >&2
      exit 5
    fi
    : > "$log"
    logged "$python" -m venv "$venv" || failed "making the virtual environment with $python"
  else
    say "bringing .venv up to date"
    : > "$log"
  fi
  # Until the new stamp is written, an interruption at any point makes the next use start over.
  rm -f "$stamp"
  if [ "$missing" != project ]; then
    if [ "$wanted_profile" = runtime ]; then
      sed '/^# test$/,$d' "$lock" > "$venv/runtime.lock"
      lock=$venv/runtime.lock
    fi
    say "installing $(grep '==' "$lock" | grep -vc "== 'win32'") packages"
    pip install --require-hashes --only-binary :all: -r "$lock" || failed "installing packages"
  fi
  # A file with hashes cannot name the checkout itself; without isolation the build uses the pinned setuptools.
  pip install --no-deps --no-build-isolation -e "$root" || failed "installing privity itself"
  printf '%s %s %s %s\n' "$wanted_lock" "$wanted_project" "$wanted_profile" "$root" > "$stamp.new"
  mv "$stamp.new" "$stamp"
  say "ready in $((SECONDS - started)) s"
}

ensure_venv() {
  wanted_profile=$1
  inspect
  [ "$missing" != nothing ] || return 0
  trap 'say "interrupted: the next use starts over"; exit 130' INT TERM
  # The lock is on the checkout's folder, which outlives .venv. pip inherits it, so that one left behind by a killed
  # script still keeps others out.
  exec 9< "$root"
  if command -v flock > /dev/null && ! flock -n 9; then
    say "another set-up of .venv is under way: waiting for it"
    flock 9
  fi
  inspect
  [ "$missing" = nothing ] || set_up
  exec 9<&-
  trap - INT TERM
}
