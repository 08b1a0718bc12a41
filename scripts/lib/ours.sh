# shellcheck shell=bash
# The balancers as Bareplane sets them up.
ours_up() { for node in lb1 lb2; do hand "$node" "$@"; haproxy_up "$node"; helpers_up "$node"; keepalived_up "$node"; done; }
helpers_up() { :; }
hand() {
  local me=11 peer=12 prio=101
  [ "$1" = lb1 ] || { me=12 peer=11 prio=100; }
  on "$1" tee /etc/keepalived/keepalived.conf >/dev/null <<EOF
global_defs {
    router_id $1
    script_user root
    enable_script_security
    vrrp_version 3
    vrrp_garp_master_delay 1
    vrrp_garp_master_repeat 3
    vrrp_garp_master_refresh 30
    vrrp_garp_lower_prio_repeat 1
    vrrp_higher_prio_send_advert true
    vrrp_skip_check_adv_addr
    max_auto_priority 99
}
vrrp_script chk {
  script "/usr/bin/curl -fsS --max-time 0.8 -k https://localhost:6443/readyz -o /dev/null"
  interval 1
  timeout 1
  fall 2
  rise 2
  init_fail
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority $prio
    advert_int 0.1
    nopreempt
    unicast_src_ip 10.77.0.$me
    unicast_peer {
        10.77.0.$peer
    }
    virtual_ipaddress {
        10.77.0.100/32 dev eth0
    }
    track_script { 
      chk 
    }
}
EOF
  on "$1" tee /etc/haproxy/haproxy.cfg >/dev/null <<EOF
global
  stats socket /run/haproxy.sock mode 600 level admin expose-fd listeners
  hard-stop-after 30s
defaults
  mode tcp
  option redispatch
  retries 2
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 1s
frontend apiserver
  bind *:6443
  default_backend apiservers
backend apiservers
  balance leastconn
  option httpchk
  http-check send meth GET uri /readyz
  http-check expect status 200
  default-server check check-ssl verify required ca-file $STATE/pki/ca.crt inter 1s fastinter 200ms downinter 1s fall 2 rise 2 on-marked-down shutdown-sessions
  server cp1 10.77.0.21:6443
  server cp2 10.77.0.22:6443
  server cp3 10.77.0.23:6443
EOF
}
