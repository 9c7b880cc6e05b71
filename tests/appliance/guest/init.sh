#!/bin/sh
# First program of the emulated machine: lays the disks over each other, and hands over to the system.
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
mount -t ext4 -o ro /dev/vda /tree && mount -t ext4 -o ro /dev/vdb /site
mount -t tmpfs -o size=512m tmpfs /up && mkdir /up/upper /up/work && cp -a /load/. /up/upper/
mount -t overlay -o lowerdir=/site:/tree,upperdir=/up/upper,workdir=/up/work overlay /new
mount -t ext4 /dev/vdc /new/var
mount -o move /proc /new/proc; mount -o move /sys /new/sys; mount -o move /dev /new/dev
exec switch_root /new /sbin/init
