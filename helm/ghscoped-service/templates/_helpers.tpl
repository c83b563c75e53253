{{- define "ghscoped.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ghscoped.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What all pods of a release share, the doctor's included. */ -}}
{{- define "ghscoped.matchLabels" -}}
app.kubernetes.io/name: {{ include "ghscoped.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ghscoped.labels" -}}
{{ include "ghscoped.matchLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "ghscoped.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The keys of the Secret with what is secret, as a JSON list. */ -}}
{{- define "ghscoped.secretKeys" -}}
{{- if .Values.secrets.existingSecret -}}
{{- .Values.secrets.existingKeys | sortAlpha | toJson -}}
{{- else -}}
{{- keys .Values.secrets.values | sortAlpha | toJson -}}
{{- end -}}
{{- end -}}

{{- define "ghscoped.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "ghscoped.fullname" .) -}}
{{- end -}}

{{- define "ghscoped.hubApiUrl" -}}
{{- .Values.hub.apiUrl | default (printf "http://hub:8081%shub/api" .Values.hub.baseUrl) -}}
{{- end -}}

{{- define "ghscoped.prefix" -}}
{{- printf "%sservices/%s/" .Values.hub.baseUrl .Values.hub.service -}}
{{- end -}}

{{- /* The store as the service's setting, with the files of the Secret. */ -}}
{{- define "ghscoped.store" -}}
{{- if eq .Values.store.type "bolt" -}}
bolt:/var/lib/ghscoped/ghscoped.db
{{- else -}}
{{- $keys := include "ghscoped.secretKeys" . | fromJsonArray -}}
{{- $url := .Values.store.redis.url -}}
{{- range $key, $parameter := dict "redis-ca.crt" "ca_file" "redis-password" "password_file" "redis-username" "username_file" -}}
{{- if has $key $keys -}}
{{- $url = printf "%s%s%s=/etc/ghscoped/secrets/%s" $url (contains "?" $url | ternary "&" "?") $parameter $key -}}
{{- end -}}
{{- end -}}
{{- $url -}}
{{- end -}}
{{- end -}}

{{- /* The ports that the NetworkPolicy opens, as a JSON list: those that the
       Redis' address names. What Sentinels name is taken to have Redis' usual one. */ -}}
{{- define "ghscoped.redisPorts" -}}
{{- $url := urlParse .Values.store.redis.url -}}
{{- $hosts := list $url.host -}}
{{- range regexFindAll "(^|&)addr=[^&]+" $url.query -1 -}}
{{- $hosts = append $hosts (regexReplaceAll "%3[Aa]" . ":") -}}
{{- end -}}
{{- if contains "master_name=" $url.query -}}
{{- $hosts = append $hosts "" -}}
{{- end -}}
{{- $ports := list -}}
{{- range $hosts -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "6379" | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- define "ghscoped.manyPods" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end -}}
{{- end -}}

{{- /* Whether identity tokens of this cluster's service accounts are taken. */ -}}
{{- define "ghscoped.asksCluster" -}}
{{- regexMatch "(^|[ ,])kubernetes($|[ ,])" (.Values.config.bot_issuers | default "") -}}
{{- end -}}

{{- /* What the schema cannot say, and what it says once more for those who skip it. */ -}}
{{- define "ghscoped.check" -}}
{{- $keys := include "ghscoped.secretKeys" . | fromJsonArray -}}
{{- if and (include "ghscoped.manyPods" .) (ne .Values.store.type "redis") -}}
{{- fail "replicas (or autoscaling): more than one pod needs store.type redis; the file of store.type bolt belongs to one process" -}}
{{- end -}}
{{- if and (eq .Values.store.type "redis") (not (has "keys" $keys)) -}}
{{- fail "store.type is redis, so every pod needs the same sealing keys: set secrets.values.keys, or secrets.existingSecret with \"keys\" in secrets.existingKeys (one key: openssl rand -base64 32)" -}}
{{- end -}}
{{- if and (has "redis-ca.crt" $keys) (not (hasPrefix "rediss://" .Values.store.redis.url)) -}}
{{- fail "secrets: redis-ca.crt is given, but store.redis.url does not begin with rediss://" -}}
{{- end -}}
{{- if ne (empty .Values.botPolicy) (not (has "app-private-key.pem" $keys)) -}}
{{- fail "botPolicy and the secret app-private-key.pem go together: set both for bot tokens, or none" -}}
{{- end -}}
{{- end -}}
