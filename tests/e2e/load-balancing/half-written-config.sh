#!/bin/bash
# Configurations that are cut short, by a broken pipe or a kill: lb-apply
# refuses what does not validate, and repairs what an earlier run left.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply
spare=$(other "$(holder)")
sums() { on "$spare" sha256sum /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf; }
before=$(sums)
lb-render "$STATE/platform.yaml" --node "$spare" --json >"$WORK/good"

# cut FILE: the records, with that file's content ending in the middle and a sum that agrees.
cut_short() {
  local content
  content=$(jq -r --arg file "$1" 'select(.record == "file" and (.path | endswith($file))).content | .[: length * 3 / 4 | floor]' "$WORK/good")
  jq -c --arg file "$1" --arg content "$content" --arg sum "$(printf %s "$content" | sha256sum | cut -d' ' -f1)" \
    'if .record == "file" and (.path | endswith($file)) then .content = $content | .sha256 = $sum else . end' "$WORK/good"
}
install() { on "$spare" lb-apply apply --haproxy-master "$MASTER" --keepalived-pid /run/keepalived.pid; }

for file in haproxy.cfg keepalived.conf; do
  cut_short "$file" >"$WORK/cut"
  expect 2 install <"$WORK/cut"
  says 'map(select(.record == "step" and .error == "validate")) | length == 1'
  [ "$(sums)" = "$before" ] || fail "half a $file was installed"
  proved "half a $file does not validate, and nothing was touched"
done

head -c 2000 "$WORK/good" >"$WORK/cut"
expect 2 install <"$WORK/cut"
[ "$(sums)" = "$before" ] || fail "a cut stream was installed"
jq -c 'if .record == "file" then .content += "# more\n" else . end' "$WORK/good" >"$WORK/cut"
expect 2 install <"$WORK/cut"
[ "$(sums)" = "$before" ] || fail "content that is not its sum was installed"
proved "a cut stream and a wrong sum are refused"

# Killed at different moments, each file is the old or the new one, whole.
sed 's/^load_balancing: {/&health_port: 8405, /' "$STATE/platform.yaml" | lb-render --node "$spare" --json >"$WORK/new"
sum_of() { jq -r --arg path "$2" 'select(.record == "file" and .path == $path).sha256' "$1"; }
for delay in 0.002 0.005 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.15 0.2; do
  install <"$WORK/new" >/dev/null 2>&1 &
  sleep $delay
  signal "$spare" lb-apply KILL
  wait $! || true
  for path in /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf; do
    sum=$(on "$spare" sha256sum $path | cut -d' ' -f1)
    [ "$sum" = "$(sum_of "$WORK/good" $path)" ] || [ "$sum" = "$(sum_of "$WORK/new" $path)" ] ||
      fail "$path is neither the old nor the new one after a kill at $delay s"
  done
done
proved "killed at twelve moments, every file is the old or the new one"

expect 0 install <"$WORK/good"
[ "$(sums)" = "$before" ] || fail "the next run did not repair"
expect 0 on "$spare" lb-apply plan <"$WORK/good"
proved "the next run repairs, and there is nothing left to change"
healthy
