#!/bin/sh
# sh notifier/local/secrets.sh [DIRECTORY]: makes the secrets that docker-compose.yml mounts, once; what is there stays.
# The directory is private. The files in it are readable, because a container mounts each one alone and is not root.
set -eu
umask 077
directory=${1:-secrets}
mkdir -p "$directory"

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
word() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() {
    if [ ! -s "$directory/$1" ]; then
        printf '%s' "$2" > "$directory/$1.unfinished"
        chmod 644 "$directory/$1.unfinished"
        mv "$directory/$1.unfinished" "$directory/$1"
    fi
}

keep postgres_password "$(word 24)"
keep redis_password "$(word 24)"
keep database_url "postgresql://notifier:$(cat "$directory/postgres_password")@postgres:5432/notifier"
keep redis_url "redis://:$(cat "$directory/redis_password")@redis:6379/0"
keep secret_key "$(word 48)"
keep encryption_keys "k1:$(random 32)"
keep hash_keys "h1:$(random 32)"
keep sandbox_secret "$(word 32)"
