{{/* What every selector asks for: the product, and the model of this release. */}}
{{- define "ekiben.selector" -}}
app.kubernetes.io/name: ekiben
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What is on every object and pod. */}}
{{- define "ekiben.podLabels" -}}
{{ include "ekiben.selector" . }}
app.kubernetes.io/component: inference
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What is on every object: a pod has no version of the chart, which would start it anew without need. */}}
{{- define "ekiben.labels" -}}
{{ include "ekiben.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "ekiben.tokenSecret" -}}
{{ .Values.token.secretName | default (print .Release.Name "-token") }}
{{- end }}

{{/* An image by its digest where one is given: a tag may be moved, and then replicas differ. */}}
{{- define "ekiben.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end }}
