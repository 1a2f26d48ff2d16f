"""The pages of the site, one module each: `PAGE` in every one."""
