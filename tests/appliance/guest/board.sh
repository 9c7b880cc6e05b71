#!/bin/sh
# In the emulated machine, before the kiosk starts: what a Raspberry Pi's board would bring.
set -e
modprobe -a gpio-sim uinput virtio_net
modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0
modprobe snd-aloop pcm_substreams=1
mkdir -p /run/board && cd /sys/kernel/config/gpio-sim
mkdir -p board/bank0 && echo 54 > board/bank0/num_lines && echo pinctrl-bcm2711 > board/bank0/label
echo 1 > board/live
ln -sfn "/sys/devices/platform/$(cat board/dev_name)/$(cat board/bank0/chip_name)" /run/board/gpio
# gpiozero asks for the model of the Pi: a Pi 4.
(cat /proc/cpuinfo; printf 'Revision\t: c03115\n') > /run/board/cpuinfo
mount --bind /run/board/cpuinfo /proc/cpuinfo
udevadm settle
# QEMU's network, where 10.0.2.2 is the machine that it runs on.
card=$(ls /sys/class/net | grep -vx lo | head -n 1)
busybox ip address add 10.0.2.15/24 dev "$card"
busybox ip link set "$card" up
