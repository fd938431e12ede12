#!/bin/sh
# The test guest's only process: loads every core, lets time pass, shows the interrupts, says a marker, powers off.
# With `stray=ADDRESS` among the kernel's arguments, which it hands to its first process, it writes there instead.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
cpus=$(/bin/busybox grep -c ^processor /proc/cpuinfo)
cpu=0
while [ "$cpu" -lt "$cpus" ]; do
    mask=$(printf %x $((1 << cpu)))
    /bin/busybox taskset "$mask" /bin/busybox sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done' &
    cpu=$((cpu + 1))
done
wait
if [ -n "$stray" ]; then
    echo "writing to $stray"
    /bin/busybox devmem "$stray" 32 1
    echo "not reached"
fi
/bin/busybox sleep 1
/bin/busybox cat /proc/interrupts
/bin/busybox uname -r
echo "GUEST-OK cpus=$cpus"
/bin/busybox poweroff -f
