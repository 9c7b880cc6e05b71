#!/bin/sh
# install.sh [ROOT]: puts units, users, rules and limits where a Debian system looks for them, and enables the kiosk.
set -eu
from=$(dirname "$0")
root=${1:-}

put() { install -D -m 644 "$from/$1" "$root$2"; }

put kiosk.service /usr/lib/systemd/system/kiosk.service
put kiosk-doctor.service /usr/lib/systemd/system/kiosk-doctor.service
same="$root/usr/lib/systemd/system/kiosk-doctor.service.d"
mkdir -p "$same"
{ echo "[Service]"; sed -n '/^User=/,/^\[Install\]/{/^\[/d;p}' "$from/kiosk.service"; } > "$same/kiosk.conf"
put kiosk-sound-server.service /usr/lib/systemd/system/kiosk-sound-server.service
put kiosk-sound-session.service /usr/lib/systemd/system/kiosk-sound-session.service
put kiosk-sound.conf /usr/lib/systemd/system/kiosk-sound-.service.d/kiosk.conf
put ../image-build/pipewire/kiosk-server.conf /usr/share/pipewire/pipewire.conf.d/kiosk-server.conf
put ../image-build/pipewire/kiosk-echo-cancel.conf /usr/share/pipewire/pipewire.conf.d/kiosk-echo-cancel.conf
put ../image-build/pipewire/kiosk-client.conf /usr/share/pipewire/client.conf.d/kiosk-client.conf
put ../image-build/pipewire/kiosk-wireplumber.conf /usr/share/wireplumber/wireplumber.conf.d/kiosk-wireplumber.conf
put sysusers.conf /usr/lib/sysusers.d/kiosk.conf
put tmpfiles.conf /usr/lib/tmpfiles.d/kiosk.conf
put udev.rules /usr/lib/udev/rules.d/60-kiosk.rules
put journald.conf /usr/lib/systemd/journald.conf.d/50-kiosk.conf
put system.conf /usr/lib/systemd/system.conf.d/50-kiosk.conf
put timesyncd.conf /usr/lib/systemd/timesyncd.conf.d/50-kiosk.conf
put sysctl.conf /usr/lib/sysctl.d/50-kiosk.conf
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf /usr/lib/systemd/system/kiosk.service "$root/etc/systemd/system/multi-user.target.wants/kiosk.service"
# Debian's swap on disk, where there is one, is not used: recordings' look-back would go there.
ln -sf /dev/null "$root/etc/systemd/system/swap.target"
