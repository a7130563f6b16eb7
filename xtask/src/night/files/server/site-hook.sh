#!/bin/sh
# What a site had as its hook before Belay came: it notes that it ran.
echo ran >>'@FOLDER@/log/site-hook'
