//! The job on Kubernetes, without an operator: a pod with the driver, which starts its executors itself.

use pipeline::Secret;

use crate::render::{Place, job, packages};
use crate::step::Step;

/// A name of an object, as Kubernetes takes it: what is too long ends in what tells it from others.
pub(crate) fn object_name(step: &Step) -> String {
    let name = step.name.replace('.', "-");
    if name.len() <= 50 {
        return name;
    }
    let sum = files::sha256_hex(name.as_bytes());
    format!("{}-{}", name[..40].trim_end_matches('-'), &sum[..8])
}

/// What spark-submit is given.
fn args(step: &Step, place: &Place) -> String {
    let name = object_name(step);
    let conf = [
        "spark.kubernetes.namespace=$(NAMESPACE)".to_owned(),
        "spark.kubernetes.driver.pod.name=$(POD)".to_owned(),
        format!("spark.kubernetes.container.image={}", place.image),
        format!("spark.kubernetes.executor.label.app.kubernetes.io/name={name}-executor"),
        format!("spark.executor.instances={}", place.executors),
        format!("spark.driver.host={name}.$(NAMESPACE).svc"),
        "spark.driver.bindAddress=0.0.0.0".to_owned(),
        "spark.driver.port=7078".to_owned(),
        "spark.driver.blockManager.port=7079".to_owned(),
        "spark.jars.ivy=/tmp/ivy".to_owned(),
        "spark.sql.session.timeZone=UTC".to_owned(),
    ];
    let mut words = vec!["--master".to_owned(), "k8s://https://kubernetes.default.svc".to_owned()];
    words.extend(["--deploy-mode", "client", "--name"].map(str::to_owned));
    words.extend([name.clone(), "--packages".to_owned(), packages(place)]);
    words.extend(conf.into_iter().flat_map(|setting| ["--conf".to_owned(), setting]));
    // `$(NAME)` of the document stays what it is.
    let plain = |word: &str| word.replace("$(", "$$(");
    words.extend(["/opt/bareplane/job.py".to_owned(), "--checkpoint".to_owned(), plain(place.checkpoint)]);
    if place.once {
        words.push("--once".to_owned());
    }
    words.iter().map(|word| format!("            - {}\n", literal::yaml_text(word))).collect()
}

/// How the driver comes to its secret settings: variables, mounts, volumes.
fn secrets(step: &Step) -> [String; 3] {
    let name = object_name(step);
    match &step.security {
        None => Default::default(),
        Some(Secret::Env(variable)) => {
            let variable = literal::yaml_text(variable);
            let from = format!("{{secretKeyRef: {{name: {name}, key: {variable}}}}}");
            [format!("            - {{name: {variable}, valueFrom: {from}}}\n"), String::new(), String::new()]
        }
        Some(Secret::File(path)) => {
            let path = literal::yaml_text(path);
            let items = "[{key: kafka, path: kafka}]";
            [
                String::new(),
                format!(
                    "            - {{name: secret, mountPath: {path}, subPath: kafka, readOnly: true}}\n"
                ),
                format!("        - {{name: secret, secret: {{secretName: {name}, items: {items}}}}}\n"),
            ]
        }
    }
}

/// The manifest. Secrets are named in it, never held.
pub(crate) fn manifest(step: &Step, place: &Place) -> String {
    let name = object_name(step);
    let text = literal::yaml_text;
    let labels = format!("{{app.kubernetes.io/name: {name}, app.kubernetes.io/managed-by: bareplane}}");
    let job: String = job(step)
        .lines()
        .map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") })
        .collect();
    let args = args(step, place);
    let (kind, version, shape) = if place.once {
        ("Job", "batch/v1", "  backoffLimit: 3\n".to_owned())
    } else {
        // Two drivers would write one checkpoint.
        let selector = format!("{{matchLabels: {{app.kubernetes.io/name: {name}}}}}");
        (
            "Deployment",
            "apps/v1",
            format!("  replicas: 1\n  strategy: {{type: Recreate}}\n  selector: {selector}\n"),
        )
    };
    let restart = if place.once { "OnFailure" } else { "Always" };
    let [env, mounts, volumes] = secrets(step);
    let image = text(place.image);
    let about = &step.name;
    format!(
        "# {about} as a {kind}, without an operator: its pod is the driver, which starts executors through the API.
# Rendered by spark-render: change the document, not this file.
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, labels: {labels}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, labels: {labels}}}
rules:
  - apiGroups: [\"\"]
    resources: [pods, configmaps, persistentvolumeclaims, services]
    verbs: [get, list, watch, create, patch, delete, deletecollection]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, labels: {labels}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: ServiceAccount, name: {name}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {labels}}}
spec:
  clusterIP: None
  selector: {{app.kubernetes.io/name: {name}}}
  ports: [{{name: driver, port: 7078}}, {{name: blocks, port: 7079}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, labels: {labels}}}
data:
  job.py: |
{job}---
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}, labels: {labels}}}
spec:
{shape}  template:
    metadata: {{labels: {labels}}}
    spec:
      serviceAccountName: {name}
      restartPolicy: {restart}
      securityContext: {{runAsNonRoot: true, runAsUser: 185, fsGroup: 185, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: driver
          image: {image}
          command: [/opt/spark/bin/spark-submit]
          args:
{args}          env:
            - {{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
            - {{name: NAMESPACE, valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}}}
{env}          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
          resources: {{requests: {{cpu: 500m, memory: 1536Mi}}}}
          volumeMounts:
            - {{name: job, mountPath: /opt/bareplane, readOnly: true}}
{mounts}      volumes:
        - {{name: job, configMap: {{name: {name}}}}}
{volumes}"
    )
}
