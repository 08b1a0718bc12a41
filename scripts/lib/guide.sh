# shellcheck shell=bash
# The balancers as kubeadm's guide sets them up: our own writing of the values
# published in kubernetes/kubeadm docs/ha-considerations.md (VRRPv2 multicast,
# advert 1 s, MASTER 101 and BACKUP 100, password 42, a script every 3 s with
# weight -2, fall 10, rise 2; haproxy with httpchk, then ssl-hello-chk).

guide_keepalived() {
  local state=MASTER priority=101
  [ "$1" = lb1 ] || { state=BACKUP priority=100; }
  cat <<EOF
global_defs {
    router_id LVS_DEVEL
}
vrrp_script check_apiserver {
    script "/etc/keepalived/check_apiserver.sh"
    interval 3
    weight -2
    fall 10
    rise 2
}
vrrp_instance VI_1 {
    state $state
    interface eth0
    virtual_router_id 51
    priority $priority
    authentication {
        auth_type PASS
        auth_pass 42
    }
    virtual_ipaddress {
        $VIP4
    }
    track_script {
        check_apiserver
    }
}
EOF
}

# The published check: two requests where the address is held, unverified, any
# HTTP status is good.
guide_check() {
  cat <<EOF
#!/bin/sh
give_up() {
    echo "*** \$*" 1>&2
    exit 1
}
ask() {
    curl --silent --max-time 2 --insecure "https://\$1:6443/" -o /dev/null || give_up "no answer from \$1"
}
ask localhost
if ip addr | grep -q $VIP4; then
    ask $VIP4
fi
EOF
}

guide_haproxy() {
  cat <<EOF
global
    log /dev/log local0
    log /dev/log local1 notice
    daemon
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    option forwardfor except 127.0.0.0/8
    option redispatch
    retries 1
    timeout http-request 10s
    timeout queue 20s
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout http-keep-alive 10s
    timeout check 10s
frontend apiserver
    bind *:6443
    mode tcp
    option tcplog
    default_backend apiserver
backend apiserver
    option httpchk GET /healthz
    http-check expect status 200
    mode tcp
    option ssl-hello-chk
    balance roundrobin
    server cp1 $NET4.21:6443 check
    server cp2 $NET4.22:6443 check
    server cp3 $NET4.23:6443 check
EOF
}

guide_configure() {
  guide_keepalived "$1" | on "$1" tee /etc/keepalived/keepalived.conf >/dev/null
  guide_check | on "$1" tee /etc/keepalived/check_apiserver.sh >/dev/null
  on "$1" chmod 755 /etc/keepalived/check_apiserver.sh
  guide_haproxy | on "$1" tee /etc/haproxy/haproxy.cfg >/dev/null
}
