#!/bin/sh
# Build the images with buildah or docker: build.sh [operator] [trainer]
# Settings, by environment: BASE, an image with Python ≥ 3.11; REGISTRY and TAG of what is made;
# BUILD_ARGUMENTS, further words for the tool.
set -eu
cd "$(dirname "$0")/.."

tool=${TOOL:-$(command -v buildah || command -v docker || true)}
if [ -z "$tool" ]; then
    echo "neither buildah nor docker was found; install one" >&2
    exit 1
fi
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/autolfads_operator/__init__.py)
revision=$(git rev-parse HEAD 2> /dev/null || echo unknown)

for image in "${@:-operator trainer}"; do
    for each in $image; do
        name="${REGISTRY:+$REGISTRY/}autolfads-$each:${TAG:-$version}"
        echo "building $name"
        # shellcheck disable=SC2086  (several words)
        "$tool" build --file "images/$each/Containerfile" --tag "$name" \
            ${BASE:+--build-arg "BASE=$BASE"} \
            --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
            ${BUILD_ARGUMENTS:-} .
    done
done
