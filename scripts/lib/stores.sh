# shellcheck shell=bash
# Real stores of keys on loopback:
#
#   need_redis                      installs it
#   redis_up DIR [FLAG…]            starts one; DIR/redis.port has its port
#   redis_do DIR [ARGUMENT…]        redis-cli
#   redis_down DIR

need_redis() { need redis-server=redis-server redis-cli=redis-tools; }

store_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

redis_up() {
  local dir=$1
  shift
  store_port >"$dir/redis.port"
  redis-server --port "$(cat "$dir/redis.port")" --bind 127.0.0.1 --save '' --dir "$dir" "$@" >"$dir/redis.log" 2>&1 &
  echo $! >"$dir/redis.pid"
  for _ in $(seq 100); do
    ! redis_do "$dir" PING 2>/dev/null | grep -qE 'PONG|NOAUTH' || return 0
    sleep 0.1
  done
  tail -5 "$dir/redis.log" >&2
  return 1
}
redis_do() { redis-cli -p "$(cat "$1/redis.port")" "${@:2}"; }
redis_down() {
  [ -e "$1/redis.pid" ] || return 0
  kill "$(cat "$1/redis.pid")" 2>/dev/null || true
  wait "$(cat "$1/redis.pid")" 2>/dev/null || true
  rm -f "$1/redis.pid"
}
