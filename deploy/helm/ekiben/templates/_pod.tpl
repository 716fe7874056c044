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
      failureThreshold: 60
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
      {{- if .Values.token.secretName }}
      - name: token
        mountPath: /etc/ekiben/token
        readOnly: true
      {{- end }}
      {{- if .Values.tls.secretName }}
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
  {{- with .Values.token.secretName }}
  - name: token
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.tls.secretName }}
  - name: tls
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "ekiben.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if .root.Values.tls.secretName }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{/* Where the Secrets are; settings that are none are in the ConfigMap. */}}
{{- define "ekiben.env" -}}
{{- if or .Values.token.secretName .Values.tls.secretName .Values.extraEnv -}}
env:
  {{- if .Values.token.secretName }}
  - name: AUTH_TOKEN_FILE
    value: /etc/ekiben/token/token
  {{- end }}
  {{- if .Values.tls.secretName }}
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
