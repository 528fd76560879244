{{/* The stem of objects' names: the release's, with the chart's unless that is in it. */}}
{{- define "autolfads.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else if hasPrefix (print .Release.Name "-") $name -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the schema cannot see. */}}
{{- define "autolfads.validate" -}}
{{- $name := include "autolfads.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the release's name: objects would be called %q; expected a letter first, and then letters, digits and '-': choose another, or set fullnameOverride" $name) -}}
{{- end -}}
{{- $storage := .Values.storage -}}
{{- if and $storage.existingClaim (or $storage.name $storage.storageClassName $storage.volumeName) -}}
{{- fail (printf "storage.existingClaim: found %q together with name, storageClassName or volumeName, which are of a claim that the chart makes; expected one or the other" $storage.existingClaim) -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring: found serviceMonitor and podMonitor enabled; expected one of them, since all would be counted twice" -}}
{{- end -}}
{{- range $where, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels -}}
{{- range $key, $_ := $labels -}}
{{- if or (hasPrefix "app.kubernetes.io/" $key) (eq "helm.sh/chart" $key) -}}
{{- fail (printf "%s: found %s, which the chart sets; expected labels of your own" $where $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What is of the cluster and not of a namespace needs the namespace in its name. */}}
{{- define "autolfads.clusterName" -}}
{{- $name := printf "%s-%s" .Release.Namespace (include "autolfads.fullname" .) -}}
{{- $unlike := printf "%s/%s" .Release.Namespace (include "autolfads.fullname" .) | sha256sum | trunc 8 -}}
{{- printf "%s-%s" ($name | trunc 47 | trimSuffix "-") $unlike -}}
{{- end -}}

{{- define "autolfads.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "autolfads.labels" -}}
{{ include "autolfads.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: autolfads
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "autolfads.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "autolfads.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: missing; expected one, since serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "autolfads.claim" -}}
{{- coalesce .Values.storage.existingClaim .Values.storage.name (include "autolfads.fullname" .) -}}
{{- end -}}

{{/* An image: a dictionary of `image`, and the chart's appVersion as `version`. */}}
{{- define "autolfads.image" -}}
{{- $registry := ternary "" (printf "%s/" .image.registry) (empty .image.registry) -}}
{{- if .image.digest -}}
{{- printf "%s%s@%s" $registry .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s%s:%s" $registry .image.repository (default .version .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "autolfads.operatorImage" -}}
{{- include "autolfads.image" (dict "image" .Values.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{- define "autolfads.workerImage" -}}
{{- include "autolfads.image" (dict "image" .Values.worker.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{/* Pod Security "restricted", of a pod and of its container. */}}
{{- define "autolfads.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.operator.uid | int }}
runAsGroup: {{ .Values.operator.gid | int }}
fsGroup: {{ .Values.operator.gid | int }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "autolfads.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The operator's settings, as its environment. */}}
{{- define "autolfads.environment" -}}
- name: AUTOLFADS_OPERATOR_CLAIM
  value: {{ include "autolfads.claim" . | quote }}
- name: AUTOLFADS_OPERATOR_IMAGE
  value: {{ include "autolfads.workerImage" . | quote }}
- name: AUTOLFADS_OPERATOR_WORKER_COMMAND
  value: {{ .Values.worker.command | quote }}
{{- with .Values.worker.allowImport }}
- name: AUTOLFADS_OPERATOR_ALLOW_IMPORT
  value: {{ join " " . | quote }}
{{- end }}
- name: AUTOLFADS_OPERATOR_GPU_DEVICE
  value: {{ .Values.worker.gpuDevice }}
- name: AUTOLFADS_OPERATOR_SAVE_EVERY
  value: {{ .Values.operator.saveEvery | quote }}
- name: AUTOLFADS_OPERATOR_SILENT_AFTER
  value: {{ .Values.operator.silentAfter | quote }}
- name: AUTOLFADS_OPERATOR_GPU_HOUR_PRICE
  value: {{ .Values.operator.gpuHourPrice | quote }}
- name: AUTOLFADS_OPERATOR_UID
  value: {{ .Values.operator.uid | int | quote }}
- name: AUTOLFADS_OPERATOR_GID
  value: {{ .Values.operator.gid | int | quote }}
- name: AUTOLFADS_OPERATOR_LOG
  value: {{ .Values.operator.log }}
- name: AUTOLFADS_OPERATOR_VERBOSE
  value: {{ .Values.operator.verbose | quote }}
{{- with .Values.operator.cluster }}
- name: AUTOLFADS_OPERATOR_CLUSTER
  value: {{ . | quote }}
{{- end }}
- name: HOME
  value: /tmp
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
