"""The paper's studies of task-specific directions, on finished runs; eval.analyse_directions."""
