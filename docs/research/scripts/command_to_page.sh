#!/bin/sh
# Seconds from command to page of one unit, of two checkouts of this repository in turn, alone and beside two busy
# processes: command_to_page.sh OLD_FOLDER NEW_FOLDER, each with its own environment in .venv.
set -e
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
page() { # folder, arguments
  (
    cd "$1"
    shift
    begun=$(date +%s.%N)
    .venv/bin/python synthesize.py "$@" "output=$out/run" >/dev/null 2>&1
    echo "$(date +%s.%N) $begun" | awk '{printf "%.1f", $1 - $2}'
  )
  rm -r "$out/run"
}
compare() { # name, arguments
  name=$1
  shift
  for round in 1 2 3; do
    for folder in "$old" "$new"; do echo "$name | $* | $folder | $(page "$folder" "$@")"; done
  done
}
old=$1 new=$2
for line in "units=7" "network@target=efficientnet_lite0 units=7"; do compare alone $line; done
for i in 1 2; do
  while :; do :; done &
  busy="$busy $!"
done
trap 'kill $busy; rm -r "$out"' EXIT
for line in "units=7" "network@target=efficientnet_lite0 units=7 ascent.steps=40"; do compare "beside two busy processes" $line; done
