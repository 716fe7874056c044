{{- define "ekiben.pod" -}}
serviceAccountName: {{ .Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
  {{- with .Values.fsGroup }}
  fsGroup: {{ . }}
  {{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ekiben.selector" $ | nindent 8 }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: ekiben
    image: {{ include "ekiben.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    ports:
      - name: http
        containerPort: 8080
      - name: grpc
        containerPort: 9000
    envFrom:
      - configMapRef:
          name: {{ .Release.Name }}-settings
    {{- with include "ekiben.env" . }}
    {{- . | nindent 4 }}
    {{- end }}
    startupProbe:
      {{- include "ekiben.probe" (dict "path" "/readyz" "root" .) | nindent 6 }}
      periodSeconds: 1
      timeoutSeconds: 2
      failureThreshold: {{ .Values.startupSeconds }}
    readinessProbe:
      {{- include "ekiben.probe" (dict "path" "/readyz" "root" .) | nindent 6 }}
      periodSeconds: 5
      timeoutSeconds: 2
      failureThreshold: 2
    livenessProbe:
      {{- include "ekiben.probe" (dict "path" "/livez" "root" .) | nindent 6 }}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      # Folders, not files of them: only so does a pod see a Secret that is renewed.
      {{- if .Values.token.enabled }}
      - name: token
        mountPath: /etc/ekiben/token
        readOnly: true
      {{- end }}
      {{- if .Values.tls.enabled }}
      - name: tls
        mountPath: /etc/ekiben/tls
        readOnly: true
      {{- end }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      medium: Memory
      sizeLimit: 64Mi
  # A Secret that is missing is an empty folder: the service's own log then says what it lacks.
  {{- if .Values.token.enabled }}
  - name: token
    secret:
      secretName: {{ include "ekiben.tokenSecret" . }}
      optional: true
  {{- end }}
  {{- if .Values.tls.enabled }}
  - name: tls
    secret:
      secretName: {{ .Values.tls.secretName | default (print .Release.Name "-tls") }}
      optional: true
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "ekiben.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if .root.Values.tls.enabled }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{/* Where the Secrets are; settings that are none are in the ConfigMap. */}}
{{- define "ekiben.env" -}}
{{- if or .Values.token.enabled .Values.tls.enabled .Values.extraEnv -}}
env:
  {{- if .Values.token.enabled }}
  - name: AUTH_TOKEN_FILE
    value: /etc/ekiben/token/token
  {{- end }}
  {{- if .Values.tls.enabled }}
  - name: TLS_CERT_FILE
    value: /etc/ekiben/tls/tls.crt
  - name: TLS_KEY_FILE
    value: /etc/ekiben/tls/tls.key
  {{- if .Values.tls.clientCA }}
  - name: TLS_CLIENT_CA_FILE
    value: /etc/ekiben/tls/ca.crt
  {{- end }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
