#!/usr/bin/env bash
# A stand-in for one of Kafka's tools, which need Java and do nothing here.
echo "${0##*/}: the sandbox's mirror has a stand-in only" >&2
exit 1
