#!/bin/sh
# Starts and stops the application of one host. It ends no process but the one it started.
folder='@FOLDER@'
pidfile="$folder/run/sitemonitor.pid"

alive() {
  [ -s "$pidfile" ] && grep -qs "$folder" "/proc/$(cat "$pidfile")/cmdline"
}

stop() {
  alive && kill "$(cat "$pidfile")"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    alive || break
    sleep 0.05
  done
  rm -f "$pidfile"
}

start() {
  alive && return
  '@APPLICATION@' night app "$folder" </dev/null >"$folder/log/stdout" 2>&1 &
  echo $! >"$pidfile"
}

case "$1" in
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  status) alive ;;
  *) exit 64 ;;
esac
