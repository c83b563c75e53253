{{- /* The values to merge into the release of JupyterHub. */ -}}
{{- define "ghscoped.overlay" -}}
{{- $name := include "ghscoped.fullname" . -}}
{{- $service := .Values.hub.service -}}
{{- $pull := eq (.Values.config.delivery | default "push") "pull" -}}
hub:
  services:
    {{ $service }}:
      url: http://{{ $name }}:{{ .Values.service.port }}
      display: true
      # What the service may do with the token of a user who signs in to it. It
      # has no power of its own.
      oauth_client_allowed_scopes:
        {{- with .Values.config.hub_allowed_scopes }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        - read:users!user
        {{- if not $pull }}
        - read:servers!user
        # For a token that opens one server, for two minutes, at each delivery.
        - tokens!user
        # For starting a stopped server from the page. To leave it out, set the
        # chart's config.hub_allowed_scopes: the service must not ask for it either.
        - servers!user
        {{- end }}
        {{- end }}
  loadRoles:
    # Both roles exist already, and naming one replaces it: the other scopes are
    # JupyterHub's own. Add yours, if you have changed these roles.
    user:
      scopes:
        - self
        - access:services!service={{ $service }}
    # A server's own token may ask the service, for its user alone.
    server:
      scopes:
        - users:activity!user
        - access:servers!server
        - access:services!service={{ $service }}
        - read:users!user
  networkPolicy:
    egress:
      {{- include "ghscoped.overlayEgress" . | nindent 6 }}
  # The menu says "Connect GitHub". If you have a page.html of your own, put its
  # block into yours instead.
  templatePaths:
    - /usr/local/share/jupyterhub/{{ $service }}
  extraFiles:
    {{ $service }}-menu:
      mountPath: /usr/local/share/jupyterhub/{{ $service }}/page.html
      stringData: |
        {% extends "templates/page.html" %}
        {% block service %}
        <li>
          <a class="dropdown-item" href="{{ "{{" }} service.host ~ service.prefix {{ "}}" }}">
            {%- if service.name == "{{ $service }}" %}Connect GitHub{% else %}{{ "{{" }} service.name {{ "}}" }}{% endif -%}
          </a>
        </li>
        {% endblock service %}
proxy:
  chp:
    networkPolicy:
      egress:
        {{- include "ghscoped.overlayEgress" . | nindent 8 }}
singleuser:
  networkPolicy:
    egress:
      {{- include "ghscoped.overlayEgress" . | nindent 6 }}
  extraEnv:
    # Where the ghscoped command and git's helper ask.
    GHSCOPED_URL: http://{{ $name }}:{{ .Values.service.port }}{{ include "ghscoped.prefix" . }}
    {{- $github := .Values.config.github_url | default "https://github.com" }}
    {{- $one := has (.Values.config.one_repository | toString | lower) (list "true" "t" "1") }}
    {{- with $github | trimSuffix "/" }}
    {{- if ne . "https://github.com" }}
    GHSCOPED_GITHUB_URL: {{ . }}
    {{- end }}
    # git asks the service, shows a code where nobody is connected and waits, and no
    # other helper gets a copy. If your image sets
    # GIT_CONFIG_COUNT, add these to its list.
    GIT_CONFIG_COUNT: {{ $one | ternary "3" "2" | quote }}
    GIT_CONFIG_KEY_0: credential.{{ . }}.helper
    GIT_CONFIG_VALUE_0: ""
    GIT_CONFIG_KEY_1: credential.{{ . }}.helper
    GIT_CONFIG_VALUE_1: /opt/ghscoped/ghscoped git-credential-ghscoped
    {{- if $one }}
    # The token is for the repository that git names.
    GIT_CONFIG_KEY_2: credential.{{ . }}.useHttpPath
    GIT_CONFIG_VALUE_2: "true"
    {{- end }}
    {{- end }}
  # The helper comes with the service's image, so users' images stay as they are.
  initContainers:
    - name: ghscoped
      image: {{ include "ghscoped.image" . | quote }}
      args: [install, /opt/ghscoped]
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
        seccompProfile:
          type: RuntimeDefault
      volumeMounts:
        - name: ghscoped
          mountPath: /opt/ghscoped
  storage:
    extraVolumes:
      - name: ghscoped
        emptyDir: {}
    extraVolumeMounts:
      - name: ghscoped
        mountPath: /opt/ghscoped
        readOnly: true
{{- end -}}

{{- define "ghscoped.overlayEgress" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "ghscoped.matchLabels" . | nindent 10 }}
  ports:
    - port: 8080
{{- end -}}
