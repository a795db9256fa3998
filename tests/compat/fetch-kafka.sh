#!/usr/bin/env bash
# Fetches the jars of Apache Kafka from Maven's registry into the git-ignored `.runtimes/` and prints their
# folder, for KAFKA_LIB: the compat tests then ask Kafka's own tools about our files. Does nothing if they are there.
set -euo pipefail
version=${KAFKA_VERSION:-4.1.1}
folder="$(cd "$(dirname "$0")/../.." && pwd)/.runtimes/kafka-$version"
# kafka-tools holds the start of DumpLogSegments, kafka_2.13 the reader, log4j keeps them quiet.
artifacts="org.apache.kafka:kafka_2.13:$version org.apache.kafka:kafka-tools:$version
  org.apache.logging.log4j:log4j-slf4j-impl:2.24.3 org.apache.logging.log4j:log4j-core:2.24.3"

pom() {
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>timberline</groupId><artifactId>kafka-tools</artifactId><version>1</version><dependencies>'
  for artifact in $artifacts; do
    IFS=: read -r group name number <<<"$artifact"
    echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$number</version></dependency>"
  done
  echo '</dependencies></project>'
}

if [ ! -f "$folder/complete" ]; then
  mkdir -p "$folder"
  pom >"$folder/pom.xml"
  (cd "$folder" && timeout 240 mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib >&2)
  touch "$folder/complete"
fi
echo "$folder/lib"
