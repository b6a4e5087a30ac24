DROP TABLE call_steps;
