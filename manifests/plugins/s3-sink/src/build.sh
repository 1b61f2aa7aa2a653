#!/bin/sh
# Compiles the stand-in's classes into ../lib. The same compiler gives the same bytes: one fixed time and one fixed
# order, no debug information. Java 11 class files run on every Kafka Connect that MSK Connect has.
set -eu
cd "$(dirname "$0")"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
find . -name '*.java' | LC_ALL=C sort | xargs javac --release 11 -g:none -Xlint:all -Werror -d "$classes"
mkdir -p ../lib
rm -f ../lib/kafka-connect-s3-stand-in-1.0.0.jar
find "$classes" -exec touch -d 2020-01-01T00:00:00Z {} +
jar=$(pwd)/../lib/kafka-connect-s3-stand-in-1.0.0.jar
cd "$classes"
# -X leaves out who built it, -D the folders.
find . -name '*.class' | LC_ALL=C sort | sed 's|^\./||' | TZ=UTC zip -q -X -D -@ "$jar"
