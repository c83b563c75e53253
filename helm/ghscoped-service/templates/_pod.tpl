{{- /* The parts of a pod that the service and the doctor share. */ -}}

{{- define "ghscoped.podSecurity" -}}
# The cluster says the keys of service accounts' tokens to pods with a token only.
automountServiceAccountToken: {{ include "ghscoped.asksCluster" . }}
# Without this, Kubernetes adds GHSCOPED_SERVICE_PORT and others of the kind for
# the Service of this name, and the service refuses settings that it does not know.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  # A walk over the volume at each start would open the key file beside the
  # store to the group, and the service would refuse it.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "ghscoped.container" -}}
image: {{ include "ghscoped.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
env:
  {{- include "ghscoped.env" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  {{- include "ghscoped.mounts" . | nindent 2 }}
{{- end -}}

{{- define "ghscoped.env" -}}
{{- $keys := include "ghscoped.secretKeys" . | fromJsonArray -}}
- {name: GHSCOPED_CONFIG, value: /etc/ghscoped/{{ has "config.yaml" $keys | ternary "secrets" "config" }}/config.yaml}
- {name: JUPYTERHUB_SERVICE_NAME, value: {{ .Values.hub.service | quote }}}
- {name: JUPYTERHUB_API_URL, value: {{ include "ghscoped.hubApiUrl" . | quote }}}
- {name: JUPYTERHUB_BASE_URL, value: {{ .Values.hub.baseUrl | quote }}}
{{- with .Values.hub.publicUrl }}
- {name: JUPYTERHUB_PUBLIC_HUB_URL, value: {{ . | quote }}}
{{- end }}
- {name: GHSCOPED_HUB_TOKEN_FILE, value: /etc/ghscoped/hub/token}
- {name: GHSCOPED_PROXY_URL, value: {{ .Values.hub.proxyUrl | quote }}}
- {name: GHSCOPED_LISTEN, value: ":8080"}
- {name: GHSCOPED_METRICS_ADDR, value: ":9090"}
- {name: GHSCOPED_STORE, value: {{ include "ghscoped.store" . | quote }}}
{{- range $key, $variable := dict "keys" "GHSCOPED_KEY_FILE" "client-secret" "GHSCOPED_CLIENT_SECRET_FILE" "app-private-key.pem" "GHSCOPED_APP_PRIVATE_KEY_FILE" }}
{{- if has $key $keys }}
- {name: {{ $variable }}, value: /etc/ghscoped/secrets/{{ $key }}}
{{- end }}
{{- end }}
{{- if .Values.botPolicy }}
- {name: GHSCOPED_BOT_POLICY, value: /etc/ghscoped/bot-policy/bot-policy.yaml}
{{- end }}
{{- with .Values.pod.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ghscoped.mounts" -}}
- {name: config, mountPath: /etc/ghscoped/config, readOnly: true}
- {name: hub-token, mountPath: /etc/ghscoped/hub, readOnly: true}
{{- if .Values.botPolicy }}
- {name: bot-policy, mountPath: /etc/ghscoped/bot-policy, readOnly: true}
{{- end }}
{{- if include "ghscoped.secretKeys" . | fromJsonArray }}
- {name: secrets, mountPath: /etc/ghscoped/secrets, readOnly: true}
{{- end }}
{{- if eq .Values.store.type "bolt" }}
- {name: store, mountPath: /var/lib/ghscoped}
{{- end }}
{{- with .Values.pod.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* All volumes but the store. Files of Secrets are for the group, since they belong to root. */ -}}
{{- define "ghscoped.volumes" -}}
- name: config
  configMap:
    name: {{ include "ghscoped.fullname" . }}
{{- if .Values.botPolicy }}
- name: bot-policy
  configMap:
    name: {{ include "ghscoped.fullname" . }}-bot-policy
{{- end }}
- name: hub-token
  secret:
    secretName: {{ .Values.hub.tokenSecret.name }}
    defaultMode: 0440
    items:
      - key: {{ .Values.hub.tokenSecret.key | default (printf "hub.services.%s.apiToken" .Values.hub.service) }}
        path: token
{{- $keys := include "ghscoped.secretKeys" . | fromJsonArray }}
{{- if $keys }}
- name: secrets
  secret:
    secretName: {{ include "ghscoped.secretName" . }}
    defaultMode: 0440
    items:
      {{- range $keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- with .Values.pod.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
