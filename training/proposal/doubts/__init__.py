"""What is doubtful about a column, as a phrase for its remark: each module knows of one kind of doubt."""
