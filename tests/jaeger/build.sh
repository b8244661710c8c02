#!/bin/sh
# Builds Jaeger's v2 program, without its pages, as a Go module: ./build.sh DIRECTORY leaves DIRECTORY/jaeger.
# Its module path lacks /v2, so only its v1 tags can be asked for; this one is the same commit as v2.13.0.
set -eu
version=v1.76.0
home=$1
mkdir -p "$home/module"
cd "$home/module"
cat > go.mod <<EOF
module jaegerbuild

go 1.25

tool github.com/jaegertracing/jaeger/cmd/jaeger

require github.com/jaegertracing/jaeger $version
EOF
go mod tidy
go build -o "$home/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
