//! The files of a job: the job itself, how it is submitted, and where it runs.

use crate::step::Step;

/// The job, beneath its one variable.
const JOB: &str = include_str!("../templates/job.py");

/// What only whoever starts it knows.
pub(crate) struct Place<'a> {
    /// The version of Spark.
    pub(crate) spark: &'a str,
    /// A folder all executors can write to.
    pub(crate) checkpoint: &'a str,
    /// The image of driver and executors.
    pub(crate) image: &'a str,
    /// How many executors.
    pub(crate) executors: u32,
    /// Whether it ends where the topics end.
    pub(crate) once: bool,
}

/// The Python file.
pub(crate) fn job(step: &Step) -> String {
    let name = &step.name;
    let value = literal::python(&step.value, 0);
    format!(
        "#!/usr/bin/env python3\n\"\"\"Windows of event time: {name}, as stream-agg(1) computes them.\n\n\
         Rendered by spark-render: change the document, not this file. What the document says stands in\n\
         STEP alone; below it all jobs are the same.\n\"\"\"\n\n\
         STEP = {value}\n\n{JOB}"
    )
}

pub(crate) fn packages(place: &Place) -> String {
    format!("org.apache.spark:spark-sql-kafka-0-10_2.13:{}", place.spark)
}

/// The shell file that submits it; what it is given goes to the job.
pub(crate) fn submit(step: &Step, place: &Place) -> String {
    let name = &step.name;
    let (packages, checkpoint) = (literal::shell(&packages(place)), literal::shell(place.checkpoint));
    let once = if place.once { " --once" } else { "" };
    format!(
        "#!/bin/sh\n# Starts {name}; rendered by spark-render. Arguments go to the job; SPARK_SUBMIT is spark-submit.\n\
         exec \"${{SPARK_SUBMIT:-spark-submit}}\" --name {name} --packages {packages} \\\n  \
         --conf spark.sql.session.timeZone=UTC \\\n  \
         \"$(dirname \"$0\")/{name}.py\" --checkpoint {checkpoint}{once} \"$@\"\n"
    )
}
